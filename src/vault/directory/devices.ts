import { batcher } from '../../base/batch.ts'
import { BulkheadError } from '../../base/errors.ts'
import type { Keyring } from './keyring.ts'
import { publicOf } from './offers.ts'
import { REPORT_VERSION, UNBOUND } from './rows.ts'

/**
 * Release keys of devices, which their vouchers name, so that intake can seal what a device reports without being able to read it. Reports are not
 * versioned: the key opens any of them.
 */
export type DeviceKeys = (device: string, unit: string) => Promise<string>

/** The public half (X25519, base64), on the keyring's disk when it resolves. Throws CONFLICT for a device of another unit. */
export function createDeviceKeys(keyring: Keyring, random: (size: number) => Buffer): DeviceKeys {
  const present = (id: string) => {
    const row = keyring.find({ kind: 'device', id })
    return row && { unit: row.unit, key: keyring.nextKey(row) ?? row.key }
  }
  const make = batcher<{ id: string; unit: string }, undefined>({
    most: 500,
    parallel: 1,
    async run(devices) {
      await keyring.change(() => {
        const fresh = new Map(devices.filter(({ id }) => !present(id)).map(one => [one.id, one]))
        const rows = [...fresh.values()].map(({ id, unit }) => ({
          ...{ kind: 'device' as const, id, unit, version: REPORT_VERSION },
          ...{ made: keyring.epoch, body: UNBOUND, key: random(32) },
        }))
        return rows.length > 0 ? { type: 'rows', rows } : undefined
      })
      return devices.map(() => undefined)
    },
  })
  return async (id, unit) => {
    if (!present(id)) await make({ id, unit })
    const found = present(id)
    if (found?.unit !== unit) throw new BulkheadError('CONFLICT', 'The device belongs to another unit.')
    return publicOf(found.key).toString('base64')
  }
}
