import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { logPath, socketPath } from '../src/cli/home.ts'
import { ledgerClient } from '../src/ledger/client.ts'
import type { Trusted } from '../src/trust/roster.ts'
import { openCheckpoint } from '../src/wire/tlog/checkpoint.ts'
import { verifierOf } from '../src/wire/tlog/cosignature.ts'
import { leafHash, verifyInclusion } from '../src/wire/tlog/merkle.ts'
import { decodeVkey } from '../src/wire/tlog/note.ts'

// Notice: how long from an act until a finding about it stands in the main log, proven under a checkpoint that the log signed, and until
// the alert is out. Read as anybody could who may read the ledger; nothing of watch's own table is believed.

export type Noticed = { reason: string; code: string; ledger: number; alert: number }
type Finding = { type: string; code: string; reason?: string; source: string; count: number }

const LOOK_MS = 40

export function openNotices(home: string, trusted: Trusted) {
  const ledger = ledgerClient({ path: socketPath(home, 'ledger', 'cli') })
  const { name, keys } = trusted.roster
  const log = verifierOf(decodeVkey(keys.ledgerMain))
  let read = 0
  const findings: (Finding & { seenAt: number })[] = []

  /** Takes in what was appended since, each finding with its proof. */
  async function look() {
    const { checkpoint } = await ledger.checkpoint({ log: 'main' })
    const { size, root } = openCheckpoint(checkpoint, `${name}/main`, log)
    for (; read < size; read++) {
      const { entry } = await ledger.entry({ log: 'main', index: read })
      const finding = JSON.parse(entry) as Finding
      if (finding.type !== 'finding') continue
      const { hashes } = await ledger.prove({ log: 'main', index: read, size })
      const proof = hashes.map(hash => Buffer.from(hash, 'base64'))
      verifyInclusion(read, size, leafHash(Buffer.from(entry)), proof, root)
      findings.push({ ...finding, seenAt: performance.now() })
    }
  }
  const alerts = () =>
    readFileSync(logPath(home, 'watch'), 'utf8')
      .split('\n')
      .filter(line => line.includes('"alert"')).length

  return {
    /** What is there already is not news. */
    async settle() {
      await look()
      findings.length = 0
      return alerts()
    },
    get codes(): string[] {
      return [...new Set(findings.map(({ code, reason }) => (reason ? `${code}: ${reason}` : code)))]
    },
    look,
    /** Does `act`, and waits for the first finding of these after it. `ledger` and `alert`: seconds; Infinity where nothing came. */
    async after(act: () => Promise<unknown>, code: string, reason?: string, seconds = 10): Promise<Noticed> {
      const before = await this.settle()
      const began = performance.now()
      await act()
      const noticed = { code, reason: reason ?? '', ledger: Infinity, alert: Infinity }
      for (const late = began + seconds * 1000; performance.now() < late; await sleep(LOOK_MS)) {
        await look()
        const found = findings.find(one => one.code === code && (reason === undefined || one.reason === reason))
        if (found && noticed.ledger === Infinity) noticed.ledger = (found.seenAt - began) / 1000
        if (alerts() > before && noticed.alert === Infinity) noticed.alert = (performance.now() - began) / 1000
        if (Math.max(noticed.ledger, noticed.alert) < Infinity) break
      }
      return noticed
    },
    close: () => ledger.close(),
  }
}
export type Notices = ReturnType<typeof openNotices>
