import { createHash } from 'node:crypto'
import type { Device } from '../simulator/device.ts'
import type { Canary } from './loot.ts'

// Canaries: people who do not exist, planted in devices before they enrol. Whatever a device reports of them is looked for later.

export type Person = {
  owner: string
  email: string
  phone: string
  serial: string
  imei: string
  iccid: string
  deviceName: string
}

const consonants = 'bdfgklmnprstvz'
const vowels = 'aeiou'

const bytesOf = (seed: string) => createHash('sha512').update(`canary ${seed}`).digest()
export const capital = (word: string) => word[0]!.toUpperCase() + word.slice(1)

function syllables(bytes: Buffer, from: number, count: number): string {
  const syllable = (at: number) => consonants[bytes[at]! % consonants.length]! + vowels[bytes[at + 1]! % vowels.length]!
  return Array.from({ length: count }, (_, at) => syllable(from + 2 * at)).join('')
}
const digits = (bytes: Buffer, from: number, count: number) =>
  BigInt(`0x${bytes.toString('hex', from, from + 12)}`)
    .toString()
    .slice(-count)
    .padStart(count, '7')
export const syllablesOf = (seed: string, count: number) => syllables(bytesOf(seed), 0, count)
export const digitsOf = (seed: string, count: number) => digits(bytesOf(seed), 0, count)

/** The same seed is the same person, and no text of theirs stands anywhere else. */
export function personOf(seed: string): Person {
  const bytes = bytesOf(seed)
  const [first, last] = [`${capital(syllables(bytes, 0, 3))}ë`, capital(syllables(bytes, 6, 4))]
  const number = digits(bytes, 20, 8)
  return {
    owner: `${first} ${last}`,
    email: `${first.toLowerCase().replace('ë', 'e')}.${last.toLowerCase()}@canary.example`,
    phone: `+32 4${number.slice(0, 2)} ${number.slice(2, 4)} ${number.slice(4, 6)} ${number.slice(6)}`,
    serial: `Z${bytes.toString('hex', 32, 37).toUpperCase()}`,
    imei: `35${digits(bytes, 38, 13)}`,
    iccid: `8932${digits(bytes, 44, 15)}`,
    deviceName: `Phone of ${first} ${last}`,
  }
}

/** Before it enrols: from then on it says so itself. */
export function plant(device: Device, person: Person): void {
  const { owner, email, phone, serial, imei, iccid, deviceName } = person
  Object.assign(device.self, { owner, shortName: email, phone, serial, imei, iccid, deviceName })
  device.state.name = deviceName
}

export const canariesOf = (person: Person): Canary[] => Object.entries(person).map(([what, text]) => ({ what, text }))
