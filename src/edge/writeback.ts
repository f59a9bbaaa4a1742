import type { Log } from '../base/log.ts'
import type { EdgeStore } from './store.ts'

/** What may be written behind the answer: losing it loses no promise. Flushed each second, or when `most` is reached. */
export type Writeback = {
  seen(device: string): void
  sent(command: string): void
  /** A device on these URLs got 503: it is woken once things work again, since it may not come back by itself. */
  missed(path: string): void
  /** All that was noted before is written, or lost, when this resolves. */
  flush(): Promise<void>
  close(): void
}

const MOST = 5_000
const MOST_MISSED = 100_000
const WAKE_AGAIN = 30 // seconds, as Retry-After says: whoever provokes a 503 wakes whom he shares URLs with

export function createWriteback(
  store: Pick<EdgeStore, 'touch' | 'markSent' | 'wakePaths'>,
  clock: () => number,
  log: Log,
  isOpen: () => boolean = () => true,
): Writeback {
  const seen = new Set<string>()
  const missed = new Set<string>()
  const woken = new Map<string, number>()
  let sent: string[] = []
  let writing: Promise<void> | undefined
  let closed = false

  /** What was missed again too soon waits, and all while nothing may be given out; the last flush waits for nothing. */
  function due(now: number): string[] {
    if (!isOpen() && !closed) return []
    for (const [path, at] of woken) if (now - at >= WAKE_AGAIN) woken.delete(path)
    return [...missed].filter(path => closed || !woken.has(path))
  }

  async function write() {
    const devices = take(seen)
    const paths = due(clock())
    for (const path of paths) missed.delete(path)
    const commands = sent
    sent = []
    try {
      if (devices.length > 0) await store.touch(devices.sort(), clock())
      if (commands.length > 0) await store.markSent(commands)
      if (paths.length > 0) await store.wakePaths(paths)
      for (const path of paths) woken.set(path, clock())
    } catch (error) {
      log.error('writeback.failed', { devices: devices.length, commands: commands.length }, error)
      for (const path of paths) missed.add(path)
    }
  }
  async function flush() {
    while (writing) await writing
    writing = write().finally(() => {
      writing = undefined
    })
    await writing
  }
  const now = () => void (writing || flush())
  const timer = setInterval(now, 1_000)
  return {
    seen: device => void seen.add(device),
    sent: command => {
      sent.push(command)
      if (sent.length >= MOST) now()
    },
    missed: path => void (missed.size < MOST_MISSED && missed.add(path)),
    flush,
    close() {
      closed = true
      clearInterval(timer)
    },
  }
}

function take(set: Set<string>): string[] {
  const all = [...set]
  set.clear()
  return all
}
