// The demo's office: devices and their push service, in a process of their own that knows the server by public HTTP only.
// `bulkhead demo` tells it what to do, one message after the other; it ends when that process does.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { decodeCertificate } from '../src/wire/pkcs/certificate.ts'
import { startApns } from './apns.ts'
import { createAuthority } from './authority.ts'
import { type Office, planOffice, startOffice } from './office.ts'
import { persona } from './person.ts'

export type OfficeRequest =
  | { t: 'open' }
  | { t: 'certify'; csr: string }
  | { t: 'enrol'; edgeUrl: string; profileUrls: Record<string, string> }
  | { t: 'visit' }
/** A device of the office as the server knows it; `holder`: the made-up name that it was born with. */
export type OfficeDevice = { device: string; state: string; model: string; person: string | undefined; holder: string }

const { values } = parseArgs({ options: { home: { type: 'string' } } })
const folder = join(values.home!, 'demo')
mkdirSync(folder, { recursive: true })
const authority = createAuthority()
const apns = await startApns({ tls: authority.server })
let office: Office | undefined

async function answer(asked: OfficeRequest): Promise<object> {
  if (asked.t === 'open') return open()
  if (asked.t === 'certify') return { certificate: authority.certify(asked.csr) }
  if (asked.t === 'enrol') return enrol(asked.edgeUrl, asked.profileUrls)
  await office?.visitAll()
  return {}
}

/** The push service, and the invitations that the office needs: their names, and how many devices each is for. */
function open() {
  const ca = join(folder, 'push-authority.pem')
  writeFileSync(ca, authority.ca)
  const invitations: Record<string, number> = {}
  for (const { invitation } of planOffice().devices) invitations[invitation] = (invitations[invitation] ?? 0) + 1
  return { apnsUrl: apns.url, apnsCa: ca, invitations }
}

async function enrol(edgeUrl: string, profileUrls: Record<string, string>) {
  office = await startOffice({
    edgeUrl,
    profileUrl: name => profileUrls[name]!,
    file: join(folder, 'devices.json'),
    apns,
    every: 60,
  })
  return {
    people: office.people.length,
    devices: office.members.map(({ planned: { seed, state, model, person }, device: { state: now } }): OfficeDevice => {
      const { subject } = decodeCertificate(now.identity!.certificate)
      return {
        device: /[0-9a-f-]{36}/.exec(subject.toString('latin1'))![0],
        state,
        model,
        person,
        holder: persona(seed, model).owner,
      }
    }),
  }
}

process.on('message', (asked: OfficeRequest) =>
  answer(asked).then(
    result => process.send?.({ result }),
    error => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  ),
)
process.on('disconnect', () => {
  office?.close()
  process.exit(0)
})
process.on('SIGINT', () => {}) // Ctrl-C is for the supervisor, which ends this process by closing the channel
process.send?.({ result: {} })
