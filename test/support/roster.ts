import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import type { Approval } from '../../src/trust/approval.ts'
import { canonical } from '../../src/trust/canonical.ts'
import { genesisDigestOf, openGenesis, type Trusted } from '../../src/trust/roster.ts'
import { encodeVkey, vkeyOf } from '../../src/wire/tlog/note.ts'

/** A roster of members with software passkeys, and a way to let each of them approve a digest. */
export type TestMember = {
  id: string
  alias: string
  roles: string[]
  approve(digest: Buffer, count?: number): Approval
}
export type TestRoster = {
  genesis: string
  trusted: Trusted
  unit: string
  /** Another one. */
  secondUnit: string
  owner: TestMember
  approver: TestMember
  operator: TestMember
  /** Whose authenticator counts what it signs: `approve(digest, count)`. */
  counting: TestMember
  /** The ledger's private keys. */
  ledger: { main: KeyObject; control: KeyObject; clock: KeyObject }
}

const ORIGIN = 'http://localhost:4780'
const RP_ID = 'localhost'

/** `voucher`: SPKI, `seal`: raw X25519; both base64, as generateVaultKeys returns them. */
export function testRoster(
  keys: { voucher: string; seal: string } = nobodysKeys(),
  options: { delivery?: string } = {},
): TestRoster {
  const [unit, secondUnit] = [randomUUID(), randomUUID()]
  const ledger = { main: ed25519(), control: ed25519(), clock: ed25519() }
  const people = {
    owner: person('owner-one', ['owner', 'operator', 'approver']),
    approver: person('approver-two', ['approver']),
    operator: person('operator-three', ['operator']),
    counting: person('counting-four', ['approver']),
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
    units: [
      { id: unit, alias: 'unit-one', publicKey: '' },
      { id: secondUnit, alias: 'unit-two', publicKey: '' },
    ],
    keys: {
      voucher: keys.voucher,
      seal: keys.seal,
      delivery: options.delivery ?? keys.seal,
      ledgerMain: vkey('main', 1, ledger.main),
      ledgerControl: vkey('control', 1, ledger.control),
      ledgerClock: vkey('clock', 4, ledger.clock),
    },
    standing: ['renew-identity'],
  })
  const trusted = openGenesis(genesis, genesisDigestOf(genesis))
  return {
    genesis,
    trusted,
    unit,
    secondUnit,
    owner: people.owner.test,
    approver: people.approver.test,
    operator: people.operator.test,
    counting: people.counting.test,
    ledger,
  }
}

/** Of a vault that is not asked in this test. */
const nobodysKeys = () => ({
  voucher: generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
  seal: Buffer.alloc(32, 9).toString('base64'),
})

const ed25519 = () => generateKeyPairSync('ed25519').privateKey
const vkey = (log: string, type: 1 | 4, key: KeyObject) =>
  encodeVkey(vkeyOf(`example.test/${log}`, type, createPublicKey(key)))

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
  const approve = (digest: Buffer, count = 0) => assertion(credentialId, privateKey, digest, count)
  return { member: { id, alias, roles, passkeys: [passkey] }, test: { id, alias, roles, approve } }
}

/** A WebAuthn assertion as a browser at our origin makes it. `count`: the authenticator's own; 0 where it keeps none. */
function assertion(credentialId: string, key: KeyObject, digest: Buffer, count: number): Approval {
  const client = { type: 'webauthn.get', challenge: digest.toString('base64url'), origin: ORIGIN, crossOrigin: false }
  const clientData = Buffer.from(JSON.stringify(client))
  const authenticator = Buffer.concat([
    createHash('sha256').update(RP_ID).digest(),
    Buffer.from([0x05, 0, 0, 0, count]),
  ])
  const signed = Buffer.concat([authenticator, createHash('sha256').update(clientData).digest()])
  return {
    credentialId,
    clientDataJSON: clientData.toString('base64url'),
    authenticatorData: authenticator.toString('base64url'),
    signature: sign('sha256', signed, key).toString('base64url'),
  }
}
