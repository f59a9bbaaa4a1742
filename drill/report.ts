import { styleText } from 'node:util'

/** One line of a drill's table: what was measured in the real build, beside what the same step gave in the plain baseline. */
export type Figure = {
  kind: 'loot' | 'effect' | 'notice' | 'contain'
  what: string
  /** What was found. */
  found: number | string
  /** What it may be at most, in words. */
  limit: string
  holds: boolean
  /** The same against the plain baseline; undefined where the step means nothing there. */
  plain?: number | string
  /** What came out of it, for whoever looks into a figure that does not hold. */
  detail?: readonly string[]
}
export type Skipped = { what: string; why: string }
export type Result = {
  drill: string
  position: string
  seconds: number
  figures: Figure[]
  /** Attempts that were made, by name. */
  tried: string[]
  skipped: Skipped[]
}

export const atMost = (kind: Figure['kind'], what: string, found: number, most: number, more: Partial<Figure> = {}) =>
  ({ kind, what, found, limit: `≤ ${most}`, holds: found <= most, ...more }) satisfies Figure

export const none = (kind: Figure['kind'], what: string, found: readonly string[], more: Partial<Figure> = {}) =>
  atMost(kind, what, found.length, 0, { detail: found, ...more })

export const holds = ({ figures }: Pick<Result, 'figures'>) => figures.every(figure => figure.holds)

const DETAILS = 20

/** For people: a table, then what does not hold, in full. */
export function printed(result: Result): string {
  const { drill, position, seconds, figures, tried, skipped } = result
  const rows = [
    ['', 'figure', 'here', 'may be', 'plain baseline', ''],
    ...figures.map(({ kind, what, found, limit, plain, holds }) => [
      kind,
      what,
      String(found),
      limit,
      plain === undefined ? '—' : String(plain),
      holds ? 'holds' : 'DOES NOT HOLD',
    ]),
  ]
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map(row => row[at]!.length)))
  const lines = rows.map(row =>
    row
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join('  ')
      .trimEnd(),
  )
  return [
    `${styleText('bold', drill)}  ${position}  (${seconds.toFixed(0)} s, ${tried.length} kinds of attempts)`,
    '',
    ...lines,
    ...figures.filter(figure => !figure.holds).flatMap(why),
    ...skipped.map(({ what, why }) => `skipped: ${what}: ${why}`),
    '',
  ].join('\n')
}

const why = ({ what, detail = [] }: Figure) => [
  `\n${what}:`,
  ...detail.slice(0, DETAILS).map(line => `  ${line}`),
  ...(detail.length > DETAILS ? [`  … and ${detail.length - DETAILS} more`] : []),
]
