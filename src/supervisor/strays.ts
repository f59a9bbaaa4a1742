import { readdirSync, readFileSync } from 'node:fs'

/** Command lines of all processes that we may look at. */
export function* processes(): Generator<{ pid: number; argv: string[] }> {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const argv = commandLine(Number(entry))
    if (argv) yield { pid: Number(entry), argv }
  }
}

export function commandLine(pid: number): string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return undefined
  }
}

/** Is this the command line of a process that a supervisor of this home started? */
export function isOurs(argv: readonly string[], home: string, entries: readonly string[]): boolean {
  const at = argv.lastIndexOf('--home')
  if (at < 0 || argv[at + 1] !== home) return false
  return argv.some(word => entries.some(entry => word.endsWith(`/${entry}`)))
}

/** Ends what an earlier supervisor of this home left, should a process have been too busy to notice its end. The database is not among it. */
export function endStrays(home: string, entries: readonly string[]): number[] {
  const ended: number[] = []
  for (const { pid, argv } of processes()) {
    if (pid === process.pid || !isOurs(argv, home, entries)) continue
    try {
      process.kill(pid, 'SIGKILL')
      ended.push(pid)
    } catch {} // gone meanwhile
  }
  return ended
}
