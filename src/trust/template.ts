/**
 * Body templates: the XML plist `{Command, CommandUUID}` with typed holes. What is approved is the digest of the template
 * and the names of its holes; the edge fills them. A hole stands exactly once, alone in its element or within a string.
 */
import { BulkheadError } from '../base/errors.ts'
import { isDict, own } from '../wire/apple/dict.ts'
import { decodePlist, encodeXmlPlist, type PlistDict } from '../wire/plist/plist.ts'
import { HOLES, type Hole } from './order.ts'

const mark = (hole: Hole) => `{{${hole}}}`
const asString = (hole: Hole) => `<string>${mark(hole)}</string>`
const asData = (hole: Hole) => `<data>${mark(hole)}</data>`

/** Commands that a hole belongs to and to no other; its element holds nothing else. */
const BOUND: Partial<Record<Hole, string>> = {
  'allowed-queries': 'DeviceInformation',
  'unlock-token': 'ClearPasscode',
}

/** The template of a Command dictionary whose values may hold `{{name}}`. Throws BAD_REQUEST for a hole in the wrong place. */
export function encodeTemplate(command: PlistDict): { template: Buffer; holes: Hole[] } {
  const whole = encodeXmlPlist({ Command: command, CommandUUID: mark('command-uuid') })
  const template = Buffer.from(
    Buffer.from(whole).toString('utf8').replace(asString('unlock-token'), asData('unlock-token')),
  )
  const holes = HOLES.filter(hole => template.includes(mark(hole)))
  for (const hole of holes) checkHole(hole, template, String(own(command, 'RequestType')))
  return { template, holes }
}

function checkHole(hole: Hole, template: Buffer, action: string) {
  if (template.indexOf(mark(hole)) !== template.lastIndexOf(mark(hole))) throw misplaced(hole, 'stands more than once')
  if (hole === 'scep-challenge') throw misplaced(hole, 'is for renewals only')
  const bound = BOUND[hole]
  if (bound === undefined) return
  if (bound !== action) throw misplaced(hole, `is for ${bound} only`)
  const element = hole === 'unlock-token' ? asData(hole) : asString(hole)
  if (!template.includes(element)) throw misplaced(hole, 'does not stand alone')
}

const misplaced = (hole: Hole, why: string) =>
  new BulkheadError('BAD_REQUEST', `The hole ${mark(hole)} ${why}.`, { remedy: 'Change the body.' })

/** The Command dictionary of a template, holes left as they are. Throws MALFORMED for anything that is not one. */
export function decodeTemplate(template: Uint8Array): PlistDict {
  const text = Buffer.from(template).toString('utf8').replace(asData('unlock-token'), '<data></data>')
  const value = decodePlist(Buffer.from(text))
  const command = isDict(value) ? own(value, 'Command') : undefined
  if (
    !isDict(value) ||
    !isDict(command) ||
    own(value, 'CommandUUID') !== mark('command-uuid') ||
    Object.keys(value).length !== 2
  )
    throw new BulkheadError('MALFORMED', 'A body that is not the template of a command.')
  return command
}
