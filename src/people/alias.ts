import { sha256 } from './hash.ts'

const consonants = 'bdfgklmnprstvz'
const vowels = 'aeiou'

/**
 * A person's name where nobody may see their own: two pronounceable words, worked out from the opaque id, so that nobody can move it to another
 * person. Three syllables a word: 50,000 people hardly share one. Devices have three words, so the two are never the same.
 */
export function personAlias(id: string): string {
  const bytes = sha256(`person-alias\n${id}`)
  const syllable = (at: number) =>
    `${consonants[bytes[at]! % consonants.length]}${vowels[bytes[at + 1]! % vowels.length]}`
  const word = (at: number) => syllable(at) + syllable(at + 2) + syllable(at + 4)
  return `${word(0)}-${word(6)}`
}
