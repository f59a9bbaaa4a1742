import { BulkheadError } from '../base/errors.ts'
import { decodeVkey } from '../wire/tlog/note.ts'

const MAX_WITNESSES = 16

/** Submission prefixes; what stands behind `#` is the witness's verifier key. Throws USAGE. */
export function checkedWitnesses(asked: string[]): string[] {
  if (asked.length === 1 && asked[0] === 'none') return []
  if (asked.length > MAX_WITNESSES)
    throw new BulkheadError('USAGE', `${asked.length} witnesses are more than ${MAX_WITNESSES}.`, {
      remedy: 'Two or three in different hands are enough.',
    })
  return [...new Set(asked.map(checkedWitness))]
}

function checkedWitness(text: string): string {
  const [address = '', key] = text.split('#', 2)
  const url = URL.canParse(address) ? new URL(address) : undefined
  const isPrefix =
    url && /^https?:$/.test(url.protocol) && url.search === '' && url.username === '' && url.password === ''
  if (!isPrefix || (key !== undefined && !isWitnessKey(key)))
    throw new BulkheadError('USAGE', `${text} is not the URL of a witness.`, {
      remedy: 'Write --witness https://witness.example.org, or --witness "https://witness.example.org#VKEY".',
    })
  const prefix = url.href.replace(/\/+$/, '')
  return key === undefined ? prefix : `${prefix}#${key}`
}

function isWitnessKey(text: string): boolean {
  try {
    return decodeVkey(text).algorithm === 4
  } catch {
    return false
  }
}
