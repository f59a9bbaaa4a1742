import { readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'

/** What runs under the supervisor: the processes of one installation, PostgreSQL's among them. */
export type Process = { pid: number; name: string }

const TICKS = 100 // a second, on Linux

/** `reaped`: the CPU seconds of children that ended and were waited for. */
function stat(pid: number): { parent: number; seconds: number; reaped: number } | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
    const ticks = (at: number) => (Number(fields[at]) + Number(fields[at + 1])) / TICKS
    return { parent: Number(fields[1]), seconds: ticks(11), reaped: ticks(13) }
  } catch {
    return undefined
  }
}

/** CPU seconds that the whole machine has spent so far on anything, or lost to its host. */
export function busySeconds(): number {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'utf8')
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return (user! + nice! + system! + irq! + softirq! + steal!) / TICKS
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}

/** All descendants of `root`, and itself. Two of the same program get a number. */
export function processesBelow(root: number): Process[] {
  const parents = new Map<number, number>()
  for (const entry of readdirSync('/proc')) {
    const found = /^\d+$/.test(entry) ? stat(Number(entry)) : undefined
    if (found) parents.set(Number(entry), found.parent)
  }
  const isBelow = (pid: number | undefined): boolean =>
    pid !== undefined && pid > 1 && (pid === root || isBelow(parents.get(pid)))
  return [...parents.keys()].filter(isBelow).map(pid => ({ pid, name: nameOf(pid, root) }))
}

function nameOf(pid: number, root: number): string {
  const argv = commandLine(pid)
  const line = argv.join(' ')
  if (pid === root) return 'supervisor'
  if (/(^|\/)postgres( |:|$)|keeper\.sh/.test(line)) return 'postgresql'
  const entry = argv.find(word => word.endsWith('.ts'))
  const name = entry ? basename(entry, '.ts') : (argv[0] ?? '?')
  return name === 'intake' ? (argv.find(word => word.startsWith('intake-')) ?? name) : name
}

/** CPU seconds so far, by name. Of the supervisor's children only the intakes end while it runs, since they are recycled. */
export function cpuOf(processes: readonly Process[]): Record<string, number> {
  const sums: Record<string, number> = {}
  const add = (name: string, seconds: number) => {
    sums[name] = (sums[name] ?? 0) + seconds
  }
  for (const { pid, name } of processes) {
    const { seconds = 0, reaped = 0 } = stat(pid) ?? {}
    add(name, seconds)
    add(name === 'supervisor' ? 'intake' : name, reaped)
  }
  return sums
}

/** Proportional set size in MiB, by name. Throws nothing: what cannot be read counts as 0. */
export function pssOf(processes: readonly Process[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const { pid, name } of processes) sums[name] = (sums[name] ?? 0) + pss(pid)
  return sums
}

function pss(pid: number): number {
  try {
    const kilobytes = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]
    return Number(kilobytes ?? 0) / 1024
  } catch {
    return 0
  }
}
