import { decodeBinary } from './binaryreader.ts'
import { Budget, overLimit, type PlistLimits } from './limits.ts'
import type { PlistValue } from './value.ts'
import { decodeXml } from './xmlreader.ts'

export { encodeBinaryPlist } from './binarywriter.ts'
export type { PlistLimits } from './limits.ts'
export { type PlistDict, type PlistInput, PlistReal, type PlistValue } from './value.ts'
export { encodeXmlPlist } from './xmlwriter.ts'

/**
 * Reads an Apple property list, XML in UTF-8 or binary (`bplist00`), whichever it is. Nothing of the result shares memory
 * with the input. Throws MALFORMED for bytes that are not exactly one property list, LIMIT for those that cost too much.
 */
export function decodePlist(bytes: Uint8Array, limits: PlistLimits = {}): PlistValue {
  const budget = new Budget(limits)
  if (bytes.byteLength > budget.maxBytes) throw overLimit('bytes')
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return buffer.toString('latin1', 0, 6) === 'bplist' ? decodeBinary(buffer, budget) : decodeXml(buffer, budget)
}
