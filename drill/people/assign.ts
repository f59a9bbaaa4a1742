import { nodeSessionKey } from '../../src/cli/hpke.ts'
import { toBase64 } from '../../src/people/bytes.ts'
import { openWriterSession } from '../../src/people/session.ts'
import { canonical } from '../../src/trust/canonical.ts'
import { type Assignment, sessionBytes } from '../../src/trust/directory.ts'
import type { Client } from './shown.ts'

/** Each device is handed to the person at its place, as an operator's client says it. */
export async function assign(client: Client, devices: readonly string[], people: readonly string[]): Promise<void> {
  const { console, trusted, unit, making } = client
  const session = await openWriterSession({ unit: unit.id, key: nodeSessionKey() }, making())
  const type = 'bulkhead-assignment/v1'
  for (const [at, device] of devices.entries()) {
    const said: Assignment = { type, device, version: 1, unit: unit.id, writer: session.id, person: people[at]! }
    const statement = canonical(said)
    const bytes = sessionBytes(statement, type, trusted.genesisDigest)
    const signature = toBase64(await session.key.sign(new Uint8Array(bytes)))
    await console.post<unknown>('/api/people/assign', { writer: session.writer, statement, signature })
  }
}
