import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { BulkheadError } from '../base/errors.ts'
import { sha256Hex } from '../trust/statement.ts'

/** One-time codes on paper: each freezes every delivery once, without a passkey. The roster holds their hashes alone. */
const COUNT = 8
const BYTES = 12

export const makeFreezeCodes = (): string[] =>
  Array.from({ length: COUNT }, () => randomBytes(BYTES).toString('hex').match(/.{4}/g)!.join('-'))

export const freezeCodeHashes = (codes: readonly string[]): string[] => codes.map(sha256Hex)

/** As it is typed from paper: spaces at its ends and capitals do no harm. */
export const readFreezeCode = (typed: string): string => typed.trim().toLowerCase()

export const freezeCodeLines = (codes: readonly string[]): string[] => [
  'Paper codes to freeze every delivery. Each works once: bulkhead freeze --code CODE',
  ...codes.map(code => `  ${code}`),
]

/** Where they are put for the time until somebody prints them: readable by the owner alone. Throws CONFLICT. */
export function writeFreezeCodes(file: string, codes: readonly string[]) {
  try {
    writeFileSync(file, `${freezeCodeLines(codes).join('\n')}\n`, { mode: 0o600, flag: 'wx', flush: true })
  } catch (cause) {
    throw new BulkheadError('CONFLICT', `${file} cannot be written, or exists already.`, {
      remedy: 'Move it away; it holds codes of another time.',
      cause,
    })
  }
}
