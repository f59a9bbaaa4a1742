import { BulkheadError } from '../../base/errors.ts'
import type { DevicePage } from '../../console/api.ts'
import type { Released } from '../../console/people/api.ts'
import { reportAad } from '../../intake/api.ts'
import { fromBase64 } from '../../people/bytes.ts'
import { requireVaultAnswer } from '../../people/read.ts'
import { openGrantSession, requestRelease } from '../../people/session.ts'
import { deviceAlias } from '../../trust/alias.ts'
import { recordAad } from '../../trust/directory.ts'
import type { PlistValue } from '../../wire/plist/plist.ts'
import { decodePlist } from '../../wire/plist/plist.ts'
import type { Args } from '../args.ts'
import { nodeHpke, nodeSessionKey } from '../hpke.ts'
import { pairs, say, show } from '../output.ts'
import { unlock } from './unlock.ts'

const LIMITS = { maxBytes: 64 * 1024, maxDepth: 16, maxItems: 2000 }

/** What a device said of itself when it last checked in: name, serial, numbers. A release like a person's: in the ledger, and counted. */
export async function revealDevice(args: Args): Promise<number> {
  const [name] = args.words as [string]
  const { console, unit, key, trusted, making } = await unlock(args)
  const { device: id } = await console.get<DevicePage>(`/api/devices/${encodeURIComponent(name)}`)
  if (id !== name && deviceAlias(id) !== name)
    throw new BulkheadError('UNPROVEN', `The console shows another device for ${name}.`)
  const grant = await openGrantSession(
    { unit: unit.id, most: 1, purpose: 'inventory', key: nodeSessionKey(), seconds: 600 },
    making(),
  )
  const record = { kind: 'device' as const, id, version: 1 }
  const { genesisDigest } = trusted
  const asked = await requestRelease(grant, [record], { now: making().now, shown: true, genesisDigest })
  const answer = await console.post<Released>('/api/people/release', asked)
  await requireVaultAnswer(answer, asked.request, { voucherKey: trusted.roster.keys.voucher, genesisDigest })
  const [found] = answer.records
  if (found?.state !== 'ok')
    throw new BulkheadError('NOT_FOUND', `Nothing that ${deviceAlias(id)} said of itself can be opened.`, {
      remedy:
        'It belongs to another unit, or enrolled before this version: then it is sealed anew when its identity is renewed.',
    })
  const aad = reportAad('device.sealed', Buffer.from(recordAad('inner', { ...record, unit: unit.id }, genesisDigest)))
  const plain = await nodeHpke.open(key.privateKey, fromBase64(found.inner), new Uint8Array(aad))
  const said = textsOf(decodePlist(Buffer.from(plain), LIMITS))
  say('Released, as the ledger now says.')
  return show(args, { device: id, alias: deviceAlias(id), ...said }, () => pairs(Object.entries(said)))
}

function textsOf(plist: PlistValue): Record<string, string> {
  const entries = plist instanceof Map ? [...plist] : Object.entries(plist as Record<string, unknown>)
  return Object.fromEntries(entries.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])))
}
