import { BulkheadError } from '../base/errors.ts'
import { canonical, parseCanonical } from '../trust/canonical.ts'
import { line, object, oneOf } from '../trust/shape.ts'
import { type Bytes, textOf, utf8 } from './bytes.ts'
import { normalisePhone } from './phone.ts'

/** What is sealed of a person. Empty where it is not known; at least one name is. */
export type Person = {
  givenName: string
  familyName: string
  email: string
  mobile: string // + and digits, or the digits of a national number
  office: string
  language: string // BCP 47
  fields: Record<string, string>
}
export const COLUMNS = ['givenName', 'familyName', 'email', 'mobile', 'office', 'language'] as const
export type Column = (typeof COLUMNS)[number]
export const LONGEST = 300 // characters of a name, and of any other text
const MOST_FIELDS = 20
/** Sealed lengths say no more than how many of these there are. */
const PADDED_TO = 256

export type Complaint = { column?: Column; message: string }

/** One spelling of one text: composed (NFC), one space between words, no characters that turn the direction of what stands beside it. */
export const tidy = (text: string): string =>
  text
    .normalize('NFC')
    .replaceAll(/[\u202a-\u202e\u2066-\u2069\ufeff]/g, '')
    .replaceAll(/\s+/gu, ' ')
    .trim()

/** A person of what somebody typed, or what is wrong with it: everything at once. `country`: see normalisePhone. */
export function checkPerson(
  raw: Partial<Record<Column, string>> & { fields?: Record<string, string> },
  options: { country?: string } = {},
): { person: Person; complaints: Complaint[] } {
  const complaints: Complaint[] = []
  const person: Person = { givenName: '', familyName: '', email: '', mobile: '', office: '', language: '', fields: {} }
  for (const column of COLUMNS) {
    const value = checkText(raw[column] ?? '', message => complaints.push({ column, message }))
    person[column] = value
    const message = value === '' ? undefined : RULES[column]?.(value, person, options.country)
    if (message !== undefined) complaints.push({ column, message })
  }
  const complain = (message: string) => void complaints.push({ message })
  const given = Object.entries(raw.fields ?? {})
  person.fields = Object.fromEntries(
    given.map(([name, value]) => [checkText(name, complain), checkText(value, complain)]),
  )
  if (given.length > MOST_FIELDS) complain(`There are more than ${MOST_FIELDS} free fields.`)
  if (person.givenName === '' && person.familyName === '')
    complaints.push({ column: 'familyName', message: 'There is no name.' })
  return { person, complaints }
}

function checkText(raw: string, complain: (message: string) => void): string {
  if (raw.length > 100 * LONGEST) return complainOf(`It is far longer than ${LONGEST} characters.`, complain)
  if (!raw.isWellFormed()) return complainOf('It holds half a character.', complain)
  const text = tidy(raw)
  if (/\p{Cc}/u.test(text)) return complainOf('It holds a control character.', complain)
  if ([...text].length > LONGEST) return complainOf(`It is longer than ${LONGEST} characters.`, complain)
  if (text.includes('\ufffd')) return complainOf('A character of it was lost in another encoding.', complain)
  return text
}
function complainOf(message: string, complain: (message: string) => void): string {
  complain(message)
  return ''
}

/** What is wrong with a value, in words; else nothing. May put the value into one spelling. */
const RULES: Partial<Record<Column, (value: string, person: Person, country?: string) => string | undefined>> = {
  email: value => (/^[^\s@"<>,;]+@[^\s@"<>,;]+$/u.test(value) ? undefined : 'It is no e-mail address.'),
  mobile: (value, person, country) => {
    const number = normalisePhone(value, country)
    person.mobile = number ?? ''
    return number === undefined ? 'It is no telephone number.' : undefined
  },
  language: (value, person) => {
    try {
      person.language = Intl.getCanonicalLocales(value.replaceAll('_', '-'))[0]!
      return undefined
    } catch {
      return 'It is no language, such as fr or pt-BR.'
    }
  },
}

/** Throws REFUSED with the first complaint. */
export function requirePerson(raw: Parameters<typeof checkPerson>[0], options: { country?: string } = {}): Person {
  const { person, complaints } = checkPerson(raw, options)
  const [first] = complaints
  if (first) throw new BulkheadError('REFUSED', `${first.column ?? 'A field'}: ${first.message}`)
  return person
}

const fields = (value: unknown, at: string): Record<string, string> => {
  const found = Object.entries(
    object({}, Object.fromEntries(Object.keys(value ?? {}).map(key => [key, line])))(value, at),
  )
  if (found.length > MOST_FIELDS) throw new BulkheadError('MALFORMED', `${at} has too many fields.`)
  return Object.fromEntries(found) as Record<string, string>
}
const personShape = object({
  type: oneOf('bulkhead-person/v1'),
  givenName: line,
  familyName: line,
  email: line,
  mobile: line,
  office: line,
  language: line,
  fields,
})

/** The bytes that are sealed: canonical JSON and zeroes to a multiple of 256 bytes. */
export function encodePerson(person: Person): Bytes {
  const bytes = utf8(canonical({ type: 'bulkhead-person/v1', ...person }))
  const padded = new Uint8Array(Math.ceil(bytes.length / PADDED_TO) * PADDED_TO)
  padded.set(bytes)
  return padded
}

/** Throws MALFORMED on anything that encodePerson does not make. */
export function decodePerson(bytes: Uint8Array): Person {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end--
  let text: string
  try {
    text = textOf(bytes.subarray(0, end))
  } catch (cause) {
    throw new BulkheadError('MALFORMED', 'A person that is no text.', { cause })
  }
  const { type: _, ...person } = personShape(parseCanonical(text), 'person')
  return person
}
