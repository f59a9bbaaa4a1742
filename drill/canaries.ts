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

/** The same seed is the same person, and no text of theirs stands anywhere else. */
export function personOf(seed: string): Person {
  const bytes = createHash('sha512').update(`canary ${seed}`).digest()
  const syllables = (from: number, count: number) =>
    Array.from(
      { length: count },
      (_, at) => consonants[bytes[from + 2 * at]! % 14]! + vowels[bytes[from + 2 * at + 1]! % 5]!,
    ).join('')
  const capital = (word: string) => word[0]!.toUpperCase() + word.slice(1)
  const digits = (from: number, count: number) =>
    BigInt(`0x${bytes.toString('hex', from, from + 12)}`)
      .toString()
      .slice(-count)
      .padStart(count, '7')
  const [first, last] = [`${capital(syllables(0, 3))}ë`, capital(syllables(6, 4))]
  const number = digits(20, 8)
  return {
    owner: `${first} ${last}`,
    email: `${first.toLowerCase().replace('ë', 'e')}.${last.toLowerCase()}@canary.example`,
    phone: `+32 4${number.slice(0, 2)} ${number.slice(2, 4)} ${number.slice(4, 6)} ${number.slice(6)}`,
    serial: `Z${bytes.toString('hex', 32, 37).toUpperCase()}`,
    imei: `35${digits(38, 13)}`,
    iccid: `8932${digits(44, 15)}`,
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
