import { sha256 } from './statement.ts'

const consonants = 'bdfgklmnprstvz'
const vowels = 'aeiou'

/** A device's name in words, worked out from its id, so that a server cannot show one device's name for another. */
export async function deviceAlias(device: string): Promise<string> {
  const bytes = await sha256(`device-alias\n${device}`)
  const syllable = (at: number) =>
    `${consonants[bytes[at]! % consonants.length]}${vowels[bytes[at + 1]! % vowels.length]}`
  return [0, 4, 8].map(at => syllable(at) + syllable(at + 2)).join('-')
}
