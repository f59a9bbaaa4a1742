// npm run bench -- --check: what the turnstile costs for one device of an order that was verified before.
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { passCommand, type VerifiedOrder } from '../src/edge/turnstile.ts'
import { commandUuid } from '../src/trust/token.ts'
import type { Voucher } from '../src/trust/voucher.ts'

const DEVICES = 50_000

/** One order for all of them; each has its own check, permit and bytes. */
export function measureCheck(): string {
  const now = Math.floor(Date.now() / 1000)
  const devices = Array.from({ length: DEVICES }, () => randomUUID())
  const id = randomUUID()
  const verified = {
    order: {
      type: 'bulkhead-order/v1',
      id,
      platform: 'apple',
      action: 'SecurityInfo',
      channel: 'device',
      holes: ['command-uuid'],
      notBefore: now - 60,
      expiresAt: now + 3600,
    },
    class: 'read',
    body: '<plist><dict><key>Command</key><dict><key>RequestType</key><string>SecurityInfo</string></dict><key>CommandUUID</key><string>{{command-uuid}}</string></dict></plist>',
    rights: 0,
    targets: new Set(devices),
    channel: 'device',
    index: 0,
  } as unknown as VerifiedOrder
  const permits = new Set(devices.map(device => commandUuid(id, device, '', 0)))
  const gate = { now, fresh: true, frozen: false, isCancelled: () => false }
  const publicKey = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
  const voucher = { publicKey, platform: 'apple', tier: 'full' } as unknown as Voucher
  const round = () => {
    const began = performance.now()
    for (const device of devices)
      passCommand(verified, { voucher: { ...voucher, device }, channel: '', serial: 0, fills: {} }, gate, permits)
    return ((performance.now() - began) / DEVICES) * 1000
  }
  round()
  return `One device's own check, of an order for ${DEVICES} devices: ${round().toFixed(1)} µs (mark: ≤ 30 µs).\n`
}
