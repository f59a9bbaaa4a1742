import { createHash } from 'node:crypto'

const consonants = 'bdfgklmnprstvz'
const vowels = 'aeiou'

/** A device's pronounceable name, worked out from its id: it is stored nowhere, so nobody can move it to another device. Three words, so never a person's (two). */
export function deviceAlias(device: string): string {
  const bytes = createHash('sha256').update(`device-alias\n${device}`).digest()
  const syllable = (at: number) =>
    `${consonants[bytes[at]! % consonants.length]}${vowels[bytes[at + 1]! % vowels.length]}`
  const word = (at: number) => syllable(at) + syllable(at + 2)
  return `${word(0)}-${word(4)}-${word(8)}`
}
