import { createHash, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import type { Approval } from '../../src/trust/approval.ts'
import { canonical } from '../../src/trust/canonical.ts'
import { genesisDigestOf, openGenesis, type Trusted } from '../../src/trust/roster.ts'
import { encodeVkey, vkeyOf } from '../../src/wire/tlog/note.ts'

/** A roster of members with software passkeys, and a way to let each of them approve a digest. */
export type TestMember = { id: string; alias: string; roles: string[]; approve(digest: Buffer): Approval }
export type TestRoster = {
  genesis: string
  /** Private keys of the ledger that the roster names. */
  ledgerKeys: { main: KeyObject; control: KeyObject; clock: KeyObject }
  trusted: Trusted
  unit: string
  owner: TestMember
  approver: TestMember
  operator: TestMember
}

const ORIGIN = 'http://localhost:4780'
const RP_ID = 'localhost'

/** `voucher`: SPKI, `seal`: raw X25519; both base64, as generateVaultKeys returns them. */
export function testRoster(keys: { voucher: string; seal: string }, options: { delivery?: string } = {}): TestRoster {
  const unit = randomUUID()
  const [main, control, clock] = [ed25519(), ed25519(), ed25519()]
  const vkey = (log: string, algorithm: 1 | 4, key: KeyObject) =>
    encodeVkey(vkeyOf(`example.test/${log}`, algorithm, key))
  const people = {
    owner: person('owner-one', ['owner', 'operator', 'approver']),
    approver: person('approver-two', ['approver']),
    operator: person('operator-three', ['operator']),
  }
  const genesis = canonical({
    type: 'bulkhead-roster/v1',
    version: 0,
    previous: '',
    name: 'example.test',
    createdAt: 1_700_000_000,
    members: Object.values(people).map(({ member }) => member),
    policy: { quorum: { read: 1, change: 1, trust: 2, destroy: 2 }, softwarePasskeys: true, longestOrder: 90 * 86_400 },
    app: { origin: ORIGIN, rpId: RP_ID },
    units: [{ id: unit, alias: 'unit-one', publicKey: '' }],
    keys: {
      voucher: keys.voucher,
      seal: keys.seal,
      delivery: options.delivery ?? keys.seal,
      ledgerMain: vkey('main', 1, main),
      ledgerControl: vkey('control', 1, control),
      ledgerClock: vkey('clock', 4, clock),
    },
    standing: ['renew-identity'],
  })
  const trusted = openGenesis(genesis, genesisDigestOf(genesis))
  return {
    genesis,
    trusted,
    ledgerKeys: { main, control, clock },
    unit,
    owner: people.owner.test,
    approver: people.approver.test,
    operator: people.operator.test,
  }
}

const ed25519 = () => generateKeyPairSync('ed25519').privateKey

function person(alias: string, roles: string[]) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const id = randomUUID()
  const credentialId = Buffer.from(`credential of ${alias}`).toString('base64url')
  const passkey = {
    id: credentialId,
    publicKey: publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
    algorithm: 'ES256',
    software: true,
    origins: [ORIGIN],
  }
  const approve = (digest: Buffer) => assertion(credentialId, privateKey, digest)
  return { member: { id, alias, roles, passkeys: [passkey] }, test: { id, alias, roles, approve } }
}

/** A WebAuthn assertion as a browser at our origin makes it. */
function assertion(credentialId: string, key: KeyObject, digest: Buffer): Approval {
  const client = { type: 'webauthn.get', challenge: digest.toString('base64url'), origin: ORIGIN, crossOrigin: false }
  const clientData = Buffer.from(JSON.stringify(client))
  const authenticator = Buffer.concat([createHash('sha256').update(RP_ID).digest(), Buffer.from([0x05, 0, 0, 0, 1])])
  const signed = Buffer.concat([authenticator, createHash('sha256').update(clientData).digest()])
  return {
    credentialId,
    clientDataJSON: clientData.toString('base64url'),
    authenticatorData: authenticator.toString('base64url'),
    signature: sign('sha256', signed, key).toString('base64url'),
  }
}
