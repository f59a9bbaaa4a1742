import { BulkheadError } from '../base/errors.ts'

/** A row of a table, and where it begins: the line of a text, the row of a sheet. */
export type Row = { line: number; cells: string[] }
export const MOST_ROWS = 100_000
const MOST_CELLS = 256
const LONGEST_CELL = 32_767 // what a spreadsheet can hold

const SEPARATORS = [',', ';', '\t']

/**
 * CSV (RFC 4180), separated by commas, semicolons or tabs. Cells are text and never anything else: what begins with = + - @ is kept as it is.
 * Throws LIMIT or MALFORMED with the line.
 */
export function parseCsv(text: string): Row[] {
  const start = text.startsWith('\ufeff') ? 1 : 0
  const separator = separatorOf(text)
  const rows: Row[] = []
  let [at, line] = [start, 1]
  while (at < text.length) {
    if (rows.length > MOST_ROWS) throw new BulkheadError('LIMIT', `More than ${MOST_ROWS} rows.`)
    const row = readRow(text, at, line, separator)
    if (row.cells.some(cell => cell.trim() !== '')) rows.push({ line, cells: row.cells })
    at = row.end
    line = row.line
  }
  return rows
}

/** The one that stands most often in the first line, outside of quotes. */
function separatorOf(text: string): string {
  const first = /^[^\r\n]*/.exec(text.slice(0, LONGEST_CELL))![0].replaceAll(/"[^"]*"/g, '')
  const counts = SEPARATORS.map(separator => first.split(separator).length)
  return SEPARATORS[counts.indexOf(Math.max(...counts))]!
}

function readRow(text: string, from: number, firstLine: number, separator: string) {
  const cells: string[] = []
  let [at, line] = [from, firstLine]
  for (;;) {
    const cell = text[at] === '"' ? readQuoted(text, at, line) : readPlain(text, at, separator)
    if (cell.end - at > LONGEST_CELL * 2 || cell.value.length > LONGEST_CELL)
      throw new BulkheadError('LIMIT', `Line ${line}: a cell of more than ${LONGEST_CELL} characters.`)
    cells.push(cell.value)
    if (cells.length > MOST_CELLS) throw new BulkheadError('LIMIT', `Line ${line}: more than ${MOST_CELLS} columns.`)
    line += cell.lines
    at = cell.end
    const next = text[at]
    if (next === separator) at++
    else if (next === undefined) return { cells, end: at, line }
    else if (next === '\r' || next === '\n')
      return { cells, end: at + (next === '\r' && text[at + 1] === '\n' ? 2 : 1), line: line + 1 }
    else throw new BulkheadError('MALFORMED', `Line ${line}: text behind a closing quotation mark.`)
  }
}

function readPlain(text: string, from: number, separator: string) {
  let end = from
  while (end < text.length && text[end] !== separator && text[end] !== '\r' && text[end] !== '\n') end++
  return { value: text.slice(from, end), end, lines: 0 }
}

function readQuoted(text: string, from: number, line: number) {
  let end = from + 1
  for (;;) {
    end = text.indexOf('"', end)
    if (end < 0) throw new BulkheadError('MALFORMED', `Line ${line}: a quotation mark that is never closed.`)
    if (text[end + 1] !== '"') break
    end += 2
  }
  if (end - from > LONGEST_CELL * 2) return { value: '', end: end + 1, lines: 0 } // refused by its length
  const value = text.slice(from + 1, end).replaceAll('""', '"')
  return { value, end: end + 1, lines: value.split(/\r\n|\r|\n/).length - 1 }
}
