import { BulkheadError } from '../base/errors.ts'
import { MOST_ROWS, type Row } from './csv.ts'
import { attribute, type Tag, tagsOf, unescapeXml } from './xml.ts'
import { type Archive, openArchive } from './zip.ts'

/**
 * The cells of an XLSX file's first sheet (ECMA-376, SpreadsheetML) as text: strings, numbers, and what formulas came to when it was saved. No
 * formula is worked out, nothing it links to is opened.
 */
const MOST_BYTES = 32 * 1024 * 1024
const MOST_UNPACKED = 256 * 1024 * 1024
const MOST_COLUMNS = 256
const LONGEST_CELL = 32_767
const damaged = (what: string) => new BulkheadError('MALFORMED', `The file is no sound XLSX file: ${what}.`)

export const isXlsx = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4

export async function readXlsx(bytes: Uint8Array): Promise<Row[]> {
  if (bytes.length > MOST_BYTES) throw new BulkheadError('LIMIT', 'The XLSX file is larger than 32 MiB.')
  const archive = openArchive(bytes, MOST_UNPACKED)
  const sheet = await partOf(archive, await firstSheet(archive))
  if (sheet === undefined) throw damaged('it has no sheet')
  const strings = await partOf(archive, 'xl/sharedStrings.xml')
  return readSheet(sheet, strings === undefined ? [] : readStrings(strings))
}

async function partOf(archive: Archive, path: string): Promise<string | undefined> {
  const bytes = await archive.read(path)
  if (!bytes) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw damaged(`${path} is no UTF-8`)
  }
}

async function firstSheet(archive: Archive): Promise<string> {
  const usual = 'xl/worksheets/sheet1.xml'
  const find = async (path: string, name: string, fits: (tag: Tag) => boolean) =>
    [...tagsOf((await partOf(archive, path)) ?? '')].find(tag => !tag.closes && tag.name === name && fits(tag))
  const sheet = await find('xl/workbook.xml', 'sheet', () => true)
  const id = sheet && attribute(sheet, '[\\w.-]+:id')
  if (id === undefined) return usual
  const relation = await find('xl/_rels/workbook.xml.rels', 'Relationship', tag => attribute(tag, 'Id') === id)
  const target = relation && attribute(relation, 'Target')
  if (target === undefined) return usual
  return target.startsWith('/') ? target.slice(1) : `xl/${target}`
}

/** Text is what stands in <t>, less how it is spoken (<rPh>). */
function readStrings(xml: string): string[] {
  const strings: string[] = []
  let spoken = false
  for (const tag of tagsOf(xml)) {
    if (tag.name === 'rPh') spoken = !tag.closes && !tag.empty
    else if (tag.name === 'si' && !tag.closes) strings.push('')
    else if (tag.name === 't' && !tag.closes && !tag.empty && !spoken)
      strings[strings.length - 1] += unescapeXml(tag.text)
  }
  return strings
}

type Cell = { at: number; type: string; value: string }

function readSheet(xml: string, strings: string[]): Row[] {
  const rows: Row[] = []
  let row: Row = { line: 0, cells: [] }
  let cell: Cell | undefined
  const put = () => {
    if (cell) row.cells[cell.at] = textOf(cell, strings, row.line)
    cell = undefined
  }
  for (const tag of tagsOf(xml)) {
    if (tag.name === 'row' && !tag.closes) {
      row = { line: Number(attribute(tag, 'r') ?? row.line + 1), cells: [] }
      rows.push(row)
      if (rows.length > MOST_ROWS) throw new BulkheadError('LIMIT', `More than ${MOST_ROWS} rows.`)
    } else if (tag.name === 'c') {
      put()
      if (!tag.closes && !tag.empty)
        cell = { at: columnOf(attribute(tag, 'r'), row), type: attribute(tag, 't') ?? 'n', value: '' }
    } else if (cell && !tag.closes && !tag.empty && (tag.name === 'v' || tag.name === 't')) cell.value += tag.text
  }
  return rows
    .filter(({ cells }) => cells.some(value => value?.trim()))
    .map(({ line, cells }) => ({ line, cells: Array.from(cells, value => value ?? '') }))
}

/** 0 for A1, 27 for AB3. */
function columnOf(reference: string | undefined, { cells, line }: Row): number {
  const letters = reference === undefined ? undefined : /^[A-Z]{1,3}(?=\d)/.exec(reference)?.[0]
  const at =
    letters === undefined
      ? cells.length
      : [...letters].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 64, 0) - 1
  if (at < MOST_COLUMNS) return at
  throw new BulkheadError('LIMIT', `Row ${line}: more than ${MOST_COLUMNS} columns.`)
}

function textOf({ type, value }: Cell, strings: string[], line: number): string {
  if (value.length > 8 * LONGEST_CELL) throw new BulkheadError('LIMIT', `Row ${line}: a cell that is far too long.`)
  const text = type === 's' ? strings[Number(value)] : type === 'n' ? plainNumber(value) : unescapeXml(value)
  if (text === undefined) throw damaged(`row ${line} names a text that it does not hold`)
  if (text.length > LONGEST_CELL) throw new BulkheadError('LIMIT', `Row ${line}: a cell that is far too long.`)
  return text
}

/** A number that was typed, such as a telephone's, without the exponent in which it may be kept. */
function plainNumber(value: string): string {
  const number = Number(value)
  return /e/i.test(value) && Number.isSafeInteger(number) ? String(number) : value
}
