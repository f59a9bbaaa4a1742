import type { Installation } from './installation.ts'

export type Orders = Awaited<ReturnType<typeof openOrders>>

/** Makes and approves orders for every device, so that there is something to fetch. */
export async function openOrders(installation: Installation) {
  return {
    approveMany: async (count: number) => {
      for (let at = 0; at < count; at++) {
        const { order } = (await installation.cli(
          'order',
          'create',
          '--action',
          'ProfileList',
          '--all',
          '--reason',
          `bench ${at}`,
        )) as { order: string }
        await installation.approve(order)
      }
    },
    close: () => {},
  }
}
