import type { Column } from '../../src/people/person.ts'
import type { Purpose } from '../../src/people/session.ts'

/** For what somebody is shown names: a word of these stands in the ledger. */
export const PURPOSES: { purpose: Purpose; word: string }[] = [
  { purpose: 'support', word: 'Support' },
  { purpose: 'handover', word: 'Handing over a device' },
  { purpose: 'inventory', word: 'Inventory' },
  { purpose: 'incident', word: 'An incident' },
  { purpose: 'leaver', word: 'Somebody leaves' },
  { purpose: 'indexing', word: 'Making people findable' },
]
export const purposeWord = (purpose: Purpose): string => PURPOSES.find(one => one.purpose === purpose)?.word ?? purpose

export const COLUMN_WORDS: Record<Column, string> = {
  givenName: 'Given name',
  familyName: 'Family name',
  email: 'E-mail',
  mobile: 'Mobile',
  office: 'Office',
  language: 'Language',
}

export const people = (count: number): string => (count === 1 ? '1 person' : `${count.toLocaleString('en-GB')} people`)

export const nameOf = ({ givenName, familyName }: { givenName: string; familyName: string }): string =>
  `${givenName} ${familyName}`.trim()
