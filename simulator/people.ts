import { createHash } from 'node:crypto'

const consonants = 'bdfgklmnprstvz'
const vowels = 'aeiou'

/** Pronounceable words for people of the demo office: two of them, so that nobody takes one for a device's three. */
export function peopleAliases(count: number): string[] {
  const found = new Set<string>()
  for (let at = 0; found.size < count; at++) {
    const bytes = createHash('sha256').update(`person ${at}`).digest()
    const syllable = (place: number) =>
      consonants[bytes[place]! % consonants.length]! + vowels[bytes[place + 1]! % vowels.length]!
    found.add(`${syllable(0)}${syllable(2)}-${syllable(4)}${syllable(6)}`)
  }
  return [...found]
}
