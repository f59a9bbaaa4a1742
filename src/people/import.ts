import { BulkheadError } from '../base/errors.ts'
import { parseCsv, type Row } from './csv.ts'
import { decodeText, type Encoding } from './decode.ts'
import { COLUMNS, type Column, checkPerson, type Person, tidy } from './person.ts'
import { fold } from './terms.ts'
import { isXlsx, readXlsx } from './xlsx.ts'

/** Which column of the file is which of ours; null where it is left aside. */
export type Mapping = { header: string; column: Column | null }[]
export type LineError = { line: number; column?: Column; message: string }
export type Import = {
  mapping: Mapping
  encoding: Encoding | 'xlsx'
  rows: number
  /** None where there is an error: nothing is imported by half. */
  people: Person[]
  errors: LineError[]
  /** Errors beyond those listed. */
  moreErrors: number
}
export type ImportOptions = {
  encoding?: Encoding
  /** Calling code of national numbers, such as 32. */
  country?: string
  /** Where the headers say it otherwise: our column → the file's header. */
  columns?: Partial<Record<Column, string>>
}

const NEEDED: Column[] = ['givenName', 'familyName', 'email', 'mobile']
/** Other headers by which a column is known: folded, letters only. */
const KNOWN: Record<Column, string[]> = {
  givenName: ['givenname', 'firstname', 'forename'],
  familyName: ['familyname', 'lastname', 'surname'],
  email: ['email', 'mail', 'emailaddress', 'workemail'],
  mobile: ['mobile', 'mobilephone', 'mobilenumber', 'phone', 'phonenumber'],
  office: ['office', 'officelocation'],
  language: ['language', 'preferredlanguage'],
}
const MOST_PEOPLE = 50_000
const MOST_ERRORS = 100

/** Reads a CSV or XLSX file. Throws where it is no table at all; what is wrong in its lines is told by line. */
export async function readPeople(bytes: Uint8Array, options: ImportOptions = {}): Promise<Import> {
  if (isXlsx(bytes)) return importRows(await readXlsx(bytes), 'xlsx', options)
  const { text, encoding } = decodeText(bytes, options.encoding)
  return importRows(parseCsv(text), encoding, options)
}

function importRows([head, ...rows]: Row[], encoding: Import['encoding'], options: ImportOptions): Import {
  if (!head) throw new BulkheadError('MALFORMED', 'The file is empty.')
  if (rows.length > MOST_PEOPLE) throw new BulkheadError('LIMIT', `More than ${MOST_PEOPLE} people in one file.`)
  const mapping = mapHeader(head, options.columns ?? {})
  const errors: LineError[] = []
  const seen = new Map<string, number>()
  const people = rows.map(row => readRow(row, mapping, options, seen, errors))
  const listed = errors.slice(0, MOST_ERRORS)
  return {
    mapping,
    encoding,
    rows: rows.length,
    people: errors.length > 0 ? [] : people,
    errors: listed,
    moreErrors: errors.length - listed.length,
  }
}

const plain = (header: string) => fold(header).replaceAll(/[^\p{L}\p{N}]/gu, '')

/** Throws BAD_REQUEST where a column is missing or stands twice. */
function mapHeader(head: Row, columns: Partial<Record<Column, string>>): Mapping {
  const columnOf = (header: string): Column | null =>
    COLUMNS.find(column => {
      const asked = columns[column]
      return asked === undefined ? KNOWN[column].includes(plain(header)) : plain(asked) === plain(header)
    }) ?? null
  const mapping = head.cells.map(cell => ({ header: tidy(cell).slice(0, 100), column: columnOf(cell) }))
  const remedy = `The first line names the columns: ${COLUMNS.join(', ')}; the last two may be missing.`
  const found = mapping.map(({ column }) => column)
  for (const column of COLUMNS) {
    const times = found.filter(one => one === column).length
    if (times > 1) throw new BulkheadError('BAD_REQUEST', `Two columns are ${column}.`, { remedy })
    if (times === 0 && (NEEDED.includes(column) || columns[column] !== undefined))
      throw new BulkheadError('BAD_REQUEST', `There is no column ${columns[column] ?? column}.`, { remedy })
  }
  return mapping
}

function readRow(
  { line, cells }: Row,
  mapping: Mapping,
  options: ImportOptions,
  seen: Map<string, number>,
  errors: LineError[],
): Person {
  if (cells.slice(mapping.length).some(cell => cell.trim() !== ''))
    errors.push({ line, message: `It has ${cells.length} columns, the first line ${mapping.length}.` })
  const raw: Partial<Record<Column, string>> = {}
  for (const [at, { column }] of mapping.entries()) {
    if (column) raw[column] = unquoted(cells[at] ?? '')
    if (column && FAILED.test(raw[column]!)) errors.push({ line, column, message: 'A formula that failed.' })
  }
  const { person, complaints } = checkPerson(raw, options.country === undefined ? {} : { country: options.country })
  for (const complaint of complaints) errors.push({ line, ...complaint })
  const first = complaints.length === 0 ? twinOf(person, line, seen) : undefined
  if (first !== undefined) errors.push({ line, message: `The same person as in line ${first}.` })
  return person
}

/** What a spreadsheet writes for a formula without a value. */
const FAILED = /^#(?:N\/A|REF!|VALUE!|NAME\?|DIV\/0!|NUM!|NULL!)$/

/** How spreadsheets are kept from taking text for a formula: an apostrophe before it, or ="…" around it. What is left is text, whatever it begins with. */
const unquoted = (cell: string): string => /^="([^"]*)"$/.exec(cell)?.[1] ?? cell.replace(/^'(?=[=+\-@])/, '')

/** The line of the same person: the same e-mail address, or the same names and number where there is none. */
function twinOf(person: Person, line: number, seen: Map<string, number>): number | undefined {
  const { givenName, familyName, email, mobile } = person
  const key = email === '' ? JSON.stringify([fold(givenName), fold(familyName), mobile]) : email.toLowerCase()
  const first = seen.get(key)
  if (first === undefined) seen.set(key, line)
  return first
}
