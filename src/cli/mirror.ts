import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { BulkheadError } from '../base/errors.ts'
import { lockFolder } from '../base/lock.ts'
import { openDisk } from '../ledger/disk.ts'
import { mirrorLog } from '../ledger/mirror.ts'
import { decodeVkey, encodeVkey, type Vkey } from '../wire/tlog/note.ts'
import { type Args, needed } from './args.ts'
import { writeWhole } from './home.ts'
import { show } from './output.ts'
import { keysOf } from './vkeys.ts'

const TIMEOUT_MS = 30_000

/** `bulkhead ledger mirror`: one run brings the copy up to the log's newest checkpoint. */
export async function run(args: Args): Promise<number> {
  const prefix = prefixOf(needed(args, 'url'))
  const dir = resolve(needed(args, 'dir'))
  mkdirSync(dir, { recursive: true })
  const lock = lockFolder(dir, 'Another mirror')
  const disk = openDisk()
  try {
    const log = pinnedKey(args, dir)
    const done = await mirrorLog({ disk, dir, log, fetch: (path, limit) => get(`${prefix}/${path}`, limit) })
    writeWhole(join(dir, 'vkey'), `${encodeVkey(log)}\n`, 0o644)
    return show(
      args,
      { log: log.name, ...done },
      () => `${log.name}: ${done.from} → ${done.to} entries, all verified\n`,
    )
  } finally {
    await disk.close()
    lock.release()
  }
}

/** The first run is told the key; later ones take no other. */
function pinnedKey(args: Args, dir: string): Vkey {
  const path = join(dir, 'vkey')
  const pinned = existsSync(path) ? decodeVkey(readFileSync(path, 'utf8').trimEnd()) : undefined
  if (pinned && args.values.log === undefined) return pinned
  const [log] = keysOf(args, 'log', 1) as [Vkey]
  if (pinned && encodeVkey(pinned) !== encodeVkey(log))
    throw new BulkheadError('CONFLICT', `${dir} mirrors ${encodeVkey(pinned)}.`, {
      remedy: 'Give each log, and each key of a log, a folder of its own.',
    })
  return log
}

function prefixOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '') return url.href.replace(/\/+$/, '')
  throw new BulkheadError('USAGE', `${text} is not the prefix of a log.`, {
    remedy: 'bulkhead ledger url prints both.',
  })
}

async function get(url: string, limit: number): Promise<Buffer | null> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: 'error' })
    if (answer.status === 404) return null
    if (!answer.ok) throw new Error(`status ${answer.status}`)
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of answer.body ?? []) {
      size += chunk.length
      if (size > limit) throw new BulkheadError('LIMIT', `${url} answers more than ${limit} bytes.`)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks)
  } catch (cause) {
    if (cause instanceof BulkheadError) throw cause
    throw new BulkheadError('UNAVAILABLE', `${url} cannot be read.`, {
      remedy: 'Try again: what was fetched and verified is kept.',
      cause,
    })
  }
}
