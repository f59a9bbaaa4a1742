import type { Push } from './apns.ts'
import { createDevice, type Device, type DeviceOptions } from './device.ts'
import { createHttp, type Http } from './http.ts'
import { type KeyPair, makeKeys, throwAwaySigner } from './identity.ts'
import type { Model } from './person.ts'
import { learnServer, type ScepServer } from './scep.ts'

export type FleetOptions = {
  count: number
  /** Prefix of the devices' seeds: another prefix, other devices. */
  seed?: string
  /** Dealt out in turn. */
  models?: readonly Model[]
  /** One RSA key for every identity: thousands are ready at once, at the price of a key that is not their own. */
  sharedKey?: boolean
  /** How many devices do something at the same time, and how many connections they share. */
  parallel?: number
  each?: (index: number) => Partial<DeviceOptions>
}
export type Fleet = Awaited<ReturnType<typeof createFleet>>

/** Thousands of devices in one process. They share connections, the throw-away signer and what SCEP says of itself. */
export async function createFleet(options: FleetOptions) {
  const { count, seed = 'fleet', models = ['iphone'], parallel = 32, each = () => ({}) } = options
  const shared = await sharedParts(parallel, options.sharedKey ?? false)
  const devices = Array.from({ length: count }, (_, index) =>
    createDevice({
      seed: `${seed}-${index}`,
      model: models[index % models.length]!,
      keyType: 'ec',
      ...shared.options,
      ...each(index),
    }),
  )
  const byToken = new Map(devices.map(device => [device.push.token.toString('hex'), device]))
  return {
    devices,
    /** Each fetches the profile and enrols. Rejects with the first failure. */
    enrolAll: (profileUrl: string | ((index: number) => string)) =>
      inParallel(devices, parallel, (device, index) =>
        device.enrol(typeof profileUrl === 'string' ? profileUrl : profileUrl(index)),
      ),
    /** Returns how many commands were handled together. */
    connectAll: async () => {
      let handled = 0
      await inParallel(devices, parallel, async device => {
        if (device.state.enrolment) handled += await device.connect()
      })
      return handled
    },
    /** What a push does: the device with this token and this PushMagic connects. Undefined for strangers. */
    wake: (push: Pick<Push, 'token' | 'magic'>): Promise<number> | undefined => {
      const device = byToken.get(push.token)
      return device?.state.enrolment && device.push.magic === push.magic ? device.connect() : undefined
    },
    close: () => {
      for (const device of devices) device.close()
      shared.http.close()
    },
  }
}

async function sharedParts(parallel: number, sharedKey: boolean) {
  const http = createHttp({ sockets: parallel })
  const keys: KeyPair = await makeKeys('rsa')
  const known = new Map<string, Promise<ScepServer>>()
  const scepServer = (client: Http, url: string) => {
    const { origin } = new URL(url)
    if (!known.has(origin)) known.set(origin, learnServer(client, url))
    return known.get(origin)!
  }
  const options = {
    sharedHttp: http,
    signer: throwAwaySigner(keys, new Date()),
    scepServer,
    ...(sharedKey ? { keys } : {}),
  }
  return { http, options }
}

/** Runs `work` over all items, at most `parallel` at a time. Rejects with the first failure, and starts nothing after it. */
export async function inParallel<T>(
  items: readonly T[],
  parallel: number,
  work: (item: T, index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0
  let failed = false
  const lane = async () => {
    while (next < items.length && !failed) {
      const index = next++
      try {
        await work(items[index]!, index)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(parallel, items.length) }, lane))
}

export type { Device }
