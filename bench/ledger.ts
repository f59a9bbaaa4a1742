// npm run bench -- --ledger: a real ledger on a real disk, filled to a million entries over its socket.
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { silentLog } from '../src/base/log.ts'
import { ledgerClient } from '../src/ledger/client.ts'
import { startLedger } from '../src/ledger/server.ts'
import { genesisDigestOf, openGenesis, type Roster } from '../src/trust/roster.ts'

const BATCH = 1000
const ENTRIES = 1_000_000
const PROOFS = 2000

/** `genesis`: of an installation, for its form alone: the control log is not used here. */
export async function measureLedger(genesis: string, say: (line: string) => void): Promise<string> {
  const place = mkdtempSync(join(tmpdir(), 'bh-ledger-'))
  const key = () => generateKeyPairSync('ed25519').privateKey
  const trusted = openGenesis(genesis, genesisDigestOf(genesis))
  const socket = join(place, 's')
  const ledger = await startLedger({
    dir: join(place, 'l'),
    name: (JSON.parse(genesis) as Roster).name,
    keys: { main: key(), control: key(), clock: key() },
    genesis,
    trusted,
    clock: Date.now,
    sockets: { console: socket },
    http: { host: '127.0.0.1', port: 0 },
    log: silentLog,
  })
  const client = ledgerClient({ path: socket })
  try {
    const began = performance.now()
    let at = 0
    let told = began
    const lane = async () => {
      while (at < ENTRIES) {
        const from = at
        at += BATCH
        const entries = Array.from({ length: BATCH }, (_, n) => ({
          entry: `{"n":${from + n},"type":"group","unique":"group:${from + n}"}`,
        }))
        await client.append({ log: 'main', entries })
        if (performance.now() - told > 10_000) {
          told = performance.now()
          say(`${at} entries.`)
        }
      }
    }
    await Promise.all([lane(), lane()])
    const rate = Math.round((ENTRIES / (performance.now() - began)) * 1000)
    say(`${rate} entries/s.`)
    for (let covered = false; !covered; await wait(100))
      covered = await client.prove({ log: 'main', index: ENTRIES - 1 }).then(
        () => true,
        () => false,
      )
    const times: number[] = []
    for (let n = 0; n < PROOFS; n++) {
      const index = Math.floor((n / PROOFS) * ENTRIES)
      const start = performance.now()
      await client.prove({ log: 'main', index })
      times.push(performance.now() - start)
    }
    times.sort((a, b) => a - b)
    const of = (share: number) => times[Math.floor(times.length * share)]!.toFixed(2)
    return [
      '| ledger, one process, over its socket | | mark |',
      '| --- | --- | --- |',
      `| appended in batches of ${BATCH}, each with a unique key and a promise, on disk | ${rate} entries/s | ≥ 5,000 |`,
      `| inclusion proof at ${ENTRIES} entries, asked and answered | p50 ${of(0.5)} ms, p99 ${of(0.99)} ms | ≤ 1 ms |`,
      '',
    ].join('\n')
  } finally {
    client.close()
    await ledger.close()
    rmSync(place, { recursive: true, force: true })
  }
}
