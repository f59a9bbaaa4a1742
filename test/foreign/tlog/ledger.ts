import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { silentLog } from '../../../src/base/log.ts'
import type { Ledger } from '../../../src/ledger/api.ts'
import { ledgerClient } from '../../../src/ledger/client.ts'
import { startLedger } from '../../../src/ledger/server.ts'
import { decodeCheckpoint } from '../../../src/wire/tlog/checkpoint.ts'
import { encodeVkey, splitNote, vkeyOf } from '../../../src/wire/tlog/note.ts'
import { startWitness } from '../../../src/witness/server.ts'
import { testRoster } from '../../support/roster.ts'

/** What main.go reads. Everything binary is in base64. */
export type Document = {
  checkpoint: string
  logVkey: string
  cosigners: string[]
  entries: string[]
  inclusion: { index: number; size: number; root: string; hashes: string[] }[]
  consistency: { from: number; to: number; oldRoot: string; newRoot: string; hashes: string[] }[]
}

/** A document and what Go said of it: made by tools/ledger-vector.ts. */
export const vectorPath = new URL('../../vectors/ledger.json', import.meta.url)
export const kept = (existsSync(vectorPath) ? JSON.parse(readFileSync(vectorPath, 'utf8')) : undefined) as {
  document: Document
  said: string
}

export const saidOf = ({ cosigners, inclusion, consistency }: Document) =>
  `signatures ${1 + cosigners.length}, inclusion proofs ${inclusion.length}, consistency proofs ${consistency.length}\n`

const SIZES = [1, 2, 7, 255, 256, 300]
const INDEXES = [0, 1, 5, 127, 128, 254, 255, 256, 257, 298, 299]

/** A ledger and a witness run, entries are appended at several sizes, and everything is asked for as any caller asks. */
export async function runLedger(): Promise<Document> {
  const place = mkdtempSync(join(tmpdir(), 'bhgo-'))
  const { genesis, trusted, ledger: keys } = testRoster()
  const { name } = trusted.roster
  const logs = [vkeyOf(`${name}/main`, 1, keys.main), vkeyOf(`${name}/control`, 1, keys.control)]
  const common = { clock: Date.now, log: silentLog }
  const http = { host: '127.0.0.1', port: 0 }
  const witness = await startWitness({ dir: join(place, 'w'), name: 'witness.example/w1', logs, ...http, ...common })
  const socket = join(place, 's')
  const options = { dir: join(place, 'l'), name, genesis, trusted, keys, sockets: { console: socket }, http, ...common }
  const running = await startLedger({ ...options, witnesses: [`${witness.url}#${witness.vkey}`] })
  const ledger = ledgerClient({ path: socket })
  try {
    const document = await collect(ledger)
    const clock = encodeVkey(vkeyOf(`${name}/clock`, 4, keys.clock))
    return { ...document, logVkey: encodeVkey(logs[0]!), cosigners: [clock, witness.vkey] }
  } finally {
    ledger.close()
    await running.close()
    await witness.close()
    rmSync(place, { recursive: true })
  }
}

async function collect(
  ledger: Ledger,
): Promise<Pick<Document, 'checkpoint' | 'entries' | 'inclusion' | 'consistency'>> {
  const entries: string[] = []
  const roots = new Map<number, string>()
  for (const size of SIZES) {
    const fresh = Array.from(
      { length: size - entries.length },
      (_, at) => `{"at":${entries.length + at},"type":"group"}`,
    )
    await ledger.append({ log: 'main', entries: fresh.map(entry => ({ entry })) })
    entries.push(...fresh)
    const { checkpoint } = await until(() => ledger.prove({ log: 'main', index: size - 1 }))
    roots.set(size, rootIn(checkpoint!))
  }
  const size = entries.length
  const { checkpoint } = await until(() => ledger.prove({ log: 'main', index: size - 1, cosigned: true }))
  const root = rootIn(checkpoint!)
  const inclusion = INDEXES.map(async index => {
    const { hashes } = await ledger.prove({ log: 'main', index, cosigned: true })
    return { index, size, root, hashes }
  })
  const pairs = SIZES.flatMap(to => SIZES.filter(from => from < to).map(from => ({ from, to })))
  const consistency = pairs.map(async ({ from, to }) => {
    const { hashes } = await ledger.consistency({ log: 'main', from, to })
    return { from, to, oldRoot: roots.get(from)!, newRoot: roots.get(to)!, hashes }
  })
  return {
    checkpoint: checkpoint!,
    entries: entries.map(entry => Buffer.from(entry).toString('base64')),
    inclusion: await Promise.all(inclusion),
    consistency: await Promise.all(consistency),
  }
}

const rootIn = (note: string) => decodeCheckpoint(splitNote(note).text).root.toString('base64')

async function until<T>(act: () => Promise<T>): Promise<T> {
  for (const late = Date.now() + 20_000; ; await wait(20))
    try {
      return await act()
    } catch (error) {
      if (Date.now() > late) throw error
    }
}
