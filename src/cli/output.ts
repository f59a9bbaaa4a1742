import { BulkheadError } from '../base/errors.ts'
import { type Args, flag, text } from './args.ts'

/** What a terminal obeys or turns around instead of showing it: whoever writes into the database must not write on the screen. */
const OBEYED = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** One line that a terminal shows as it is. */
export const clean = (text: string) => text.replace(OBEYED, '\ufffd')

/** The same for JSON, where such characters are written as escapes. */
export const json = (value: unknown) =>
  JSON.stringify(value).replace(OBEYED, one =>
    Array.from({ length: one.length }, (_, at) => `\\u${one.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  )

/** JSON for programs, aligned text for people. */
export function show(args: Args, value: unknown, people: () => string): number {
  process.stdout.write(flag(args, 'json') ? `${json(value)}\n` : people().split('\n').map(clean).join('\n'))
  return 0
}

/** Words for the person at the terminal, apart from what programs read. */
export const say = (line: string) => void process.stderr.write(`${clean(line)}\n`)

/** Columns under their headings; the last one is as long as it is. */
export function table(headings: string[], rows: (string | number)[][]): string {
  if (rows.length === 0) return 'none\n'
  const all = [headings, ...rows.map(row => row.map(cell => clean(String(cell))))]
  const widths = headings.map((_, column) => Math.max(...all.map(row => row[column]!.length)))
  return all
    .map(
      row =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

/** One `name  value` a line. */
export function pairs(rows: [string, string | number][]): string {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${clean(name).padEnd(width)}  ${clean(String(value))}\n`).join('')
}

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }

/** Seconds of an option like 2w, 7d, 12h or 30m; a bare number counts `unit`s. Throws USAGE. */
export function duration(args: Args, name: string, unit: 'h' | 'd'): number | undefined {
  const value = text(args, name)
  if (value === undefined) return undefined
  const found = seconds(value, unit)
  if (found !== undefined) return found
  throw new BulkheadError('USAGE', `--${name} ${value} is no duration.`, {
    remedy: `Write for example --${name} 30m, 12h, 7d or 2w.`,
  })
}

/** Seconds of a duration as it is typed; undefined where it is none. */
export function seconds(value: string, unit: 'h' | 'd'): number | undefined {
  const [, count, given = unit] = /^(\d{1,6})([smhdw])?$/.exec(value) ?? []
  return count !== undefined && Number(count) > 0 ? Number(count) * UNITS[given]! : undefined
}

/** A time of the API without its fractions. */
export const when = (iso: string) => `${iso.slice(0, 16).replace('T', ' ')}Z`
