import { consoleClient, openHome } from '../src/cli/client.ts'
import { approve, loadPasskey } from '../src/cli/passkey.ts'
import { reviewOrder } from '../src/cli/review.ts'
import type { Approved, Draft, Order } from '../src/console/api.ts'
import type { Issued } from './generator.ts'
import type { Installation } from './installation.ts'

export type Orders = ReturnType<typeof openOrders>

/** What the command line does, without a process for each of hundreds of orders: draft, review, sign. Every one is for all devices. */
export function openOrders({ home, passkey: file }: Pick<Installation, 'home' | 'passkey'>) {
  const trusted = openHome(home)
  const passkey = loadPasskey(file)
  const console = consoleClient(home)
  return async (count: number): Promise<Issued> => {
    const issued: Issued = { orders: [], devices: [] }
    for (let at = 0; at < count; at++) {
      const body = { action: 'ProfileList', set: [], all: true, reason: `Measurement ${at}` }
      const { order } = await console.post<Draft>('/api/orders', body)
      const { digest, devices } = reviewOrder(await console.get<Order>(`/api/orders/${order}`), trusted, order)
      await console.post<Approved>(`/api/orders/${order}/approvals`, {
        approval: approve(passkey, digest, trusted.roster),
      })
      issued.orders.push(order)
      if (devices !== 'all') issued.devices = devices
    }
    return issued
  }
}
