import { cpus, totalmem } from 'node:os'
import type { Done } from './generator.ts'

/** One row of the table. `cpu`: CPU seconds of each process while it was measured; `all`: of everything on the machine. `yard`: RSA-2048 signatures that one thread could check in a second just before. */
export type Row = {
  name: string
  unit: string
  connections: number
  done: Done
  cpu: Record<string, number>
  all: number
  yard: number
  mark?: string
}
export type Report = {
  at: string
  machine: string
  command: string
  rows: Row[]
  pss: Record<string, number>
  notes: string[]
}

export const machine = (): string => {
  const [first] = cpus()
  return `${cpus().length} × ${first?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`
}

/** The table for docs/performance.md. */
export function markdown(report: Report): string {
  return [
    `Measured on ${report.at.slice(0, 10)}: ${report.machine}.`,
    `Command: \`${report.command}\`. Server, database and load generator share the machine.`,
    '',
    rateTable(report.rows),
    '',
    'CPU seconds for 1000:',
    '',
    cpuTable(report.rows),
    '',
    'Memory (PSS) with 60 enrolled devices, idle:',
    '',
    pssTable(report.pss),
    '',
    ...[...report.notes, others(report.rows), yards(report.rows)].map(note => `- ${note}`),
    '',
  ].join('\n')
}

function rateTable(rows: Row[]): string {
  const best = fastest(rows)
  const lines = rows.map(({ name, unit, connections, done, yard, mark = '' }) => [
    name,
    String(connections),
    `${done.perSecond} ${unit}`,
    `${done.p50}`,
    `${done.p99}`,
    String(done.requests),
    failed(done.failures),
    `${Math.round((yard / best) * 100)} %`,
    mark,
  ])
  return table(['what', 'connections', 'rate', 'p50 ms', 'p99 ms', 'count', 'failed', 'machine', 'mark'], lines)
}

function cpuTable(rows: Row[]): string {
  const names = [...new Set(rows.flatMap(({ cpu }) => Object.keys(cpu)))]
    .filter(name => rows.some(({ cpu }) => (cpu[name] ?? 0) >= 0.05))
    .sort()
  const per = (seconds: number, count: number) => (count === 0 ? '' : ((seconds / count) * 1000).toFixed(3))
  const lines = rows.map(({ name, connections, cpu, done }) => [
    `${name}, ${connections}`,
    ...names.map(process => per(cpu[process] ?? 0, done.requests)),
    per(done.cpu, done.requests),
  ])
  return table(['what, connections', ...names, 'generator'], lines)
}

function pssTable(pss: Record<string, number>): string {
  const lines = Object.entries(pss).sort(([, a], [, b]) => b - a)
  const total = lines.reduce((sum, [, size]) => sum + size, 0)
  return table(
    ['process', 'MiB'],
    [...lines.map(([name, size]) => [name, size.toFixed(0)]), ['**all**', `**${total.toFixed(0)}** (mark: ≤ 600)`]],
  )
}

/** What shared the machine decides what the rates are worth. */
function others(rows: Row[]): string {
  const sum = (of: (row: Row) => number) => rows.reduce((total, row) => total + of(row), 0)
  const ours = sum(({ cpu, done }) => done.cpu + Object.values(cpu).reduce((total, seconds) => total + seconds, 0))
  const capacity = sum(({ done }) => done.seconds) * cpus().length
  const share = Math.max(0, Math.round(((sum(({ all }) => all) - ours) / capacity) * 100))
  return `Everything else on the machine took ${share} % of its processors meanwhile.`
}

const fastest = (rows: Row[]) => Math.max(...rows.map(({ yard }) => yard))

const yards = (rows: Row[]) =>
  `The column "machine" is what one thread was worth just before the row: 100 % are ${fastest(rows)} RSA-2048 signatures checked in a second.`

function failed(failures: Record<string, number>): string {
  const words = Object.entries(failures).map(([status, count]) => `${count} × ${status === '0' ? 'broken' : status}`)
  return words.length === 0 ? '0' : words.join(', ')
}

function table(head: string[], lines: string[][]): string {
  const row = (cells: string[]) => `| ${cells.join(' | ')} |`
  return [row(head), row(head.map(() => '---')), ...lines.map(row)].join('\n')
}
