import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runLedger, vectorPath } from '../test/foreign/tlog/ledger.ts'

// Runs a ledger with a witness, has Go verify it, and keeps both what it verified and what it said. Needs Go.
const document = await runLedger()
const cwd = join(import.meta.dirname, '../test/foreign/tlog')
const said = execFileSync('go', ['run', '-mod=readonly', '.'], {
  cwd,
  input: JSON.stringify(document),
  encoding: 'utf8',
})
const about =
  'A ledger of this program and its witness, as golang.org/x/mod v0.42.0 sumdb/note and sumdb/tlog verified them.'
writeFileSync(vectorPath, `${JSON.stringify({ about, said, document }, null, 1)}\n`)
process.stdout.write(said)
