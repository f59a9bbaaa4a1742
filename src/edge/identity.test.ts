import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { test } from 'node:test'
import { mdmSignature } from '../../simulator/identity.ts'
import { ecKeys, type Party, party, rsaKeys } from '../../test/support/pkcs.ts'
import { testRoster } from '../../test/support/roster.ts'
import { decoders } from '../../test/support/vault.ts'
import { createAllowance } from '../base/allowance.ts'
import type { SignerFound } from '../intake/api.ts'
import { sha256Hex } from '../trust/statement.ts'
import { signVoucher, type Voucher } from '../trust/voucher.ts'
import { dictOf } from '../wire/apple/dict.ts'
import { contentOf, decodeSignedData } from '../wire/pkcs/signed-data.ts'
import { encodeXmlPlist } from '../wire/plist/plist.ts'
import { checkin } from './apple/checkin.ts'
import { identify, type Proof } from './apple/message.ts'
import type { Context } from './context.ts'
import { createIdentities, signatureHolds } from './identity.ts'
import type { FoundVoucher } from './store.ts'

const vault = generateKeyPairSync('ed25519')
const seal = generateKeyPairSync('x25519').publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
const { trusted } = testRoster({
  voucher: vault.publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
  seal: seal.toString('base64'),
})
const NOW = 1_800_000_000
const DAY = 86_400
const parties = {
  phone: party(ecKeys(), {}),
  renewed: party(ecKeys(), {}),
  thief: party(ecKeys(), {}),
  mac: party(rsaKeys(), {}),
}
const sha = ({ certificate }: Party) => sha256Hex(certificate)
const IDLE = Buffer.from(
  encodeXmlPlist(
    dictOf([
      ['Status', 'Idle'],
      ['UDID', 'a-udid'],
    ]),
  ),
)

/** A row of vault.certificate, as the vault writes it. */
function row(who: Party, path: string, fields: Partial<Voucher> = {}, by = vault.privateKey): FoundVoucher {
  const voucher: Voucher = {
    type: 'bulkhead-voucher/v1',
    certificate: sha(who),
    publicKey: who.spki.toString('base64'),
    device: randomUUID(),
    path,
    platform: 'apple',
    tier: 'private',
    unit: trusted.roster.units[0]!.id,
    groups: [],
    invitation: randomUUID(),
    topic: 'com.apple.mgmt.External.test',
    url: 'https://mdm.example.test',
    signed: false,
    previous: '',
    enrolledAt: NOW - DAY,
    identityDays: 397,
    notAfter: NOW + DAY,
    ...fields,
  }
  const { text, signature } = signVoucher(voucher, trusted.genesisDigest, by)
  return { path, certificate: voucher.certificate, state: 'valid', voucher: text, signature }
}

/** The edge before a table that a test fills and changes. */
function world(rows: FoundVoucher[]) {
  const state = { rows, now: NOW, asked: 0 }
  const traces: string[] = []
  const superseded: string[] = []
  const store = {
    async findVouchers(path: string) {
      state.asked++
      return state.rows.filter(found => found.path === path)
    },
    async supersede(certificate: string) {
      superseded.push(certificate)
      state.rows = state.rows.filter(found => found.certificate !== certificate)
      return []
    },
  }
  const clock = () => state.now
  const trace = (code: string) => void traces.push(code)
  const identities = createIdentities(store, trusted, clock, trace)
  const context = {
    store,
    identities,
    intake: decoders(),
    trusted,
    clock,
    trace,
    writeback: { seen: () => {} },
  } as unknown as Context
  const ask = (path: string, proof: Partial<Proof>, by: Context = context) =>
    identify('connect', { path, certificate: null, signature: null, body: IDLE, ...proof }, by)
  return { state, traces, superseded, identities, context, ask }
}
const signed = (who: Party, body = IDLE) => ({ signature: mdmSignature(body, who), body })
const nobody = { name: 'BulkheadError', code: 'UNPROVEN' }

test('a device is who its voucher says, by signature and by mutual TLS', async () => {
  const path = randomUUID()
  const mine = row(parties.phone, path)
  const { ask } = world([mine, row(parties.mac, randomUUID())])
  const { device } = JSON.parse(mine.voucher)
  assert.equal((await ask(path, signed(parties.phone))).identity.voucher.device, device)
  assert.equal((await ask(path, { certificate: sha(parties.phone) })).identity.voucher.device, device)
})

test('a certificate without a voucher on these URLs is nobody, and leaves a trace', async () => {
  const [path, other] = [randomUUID(), randomUUID()]
  const { ask, traces } = world([row(parties.phone, path), row(parties.thief, other)])
  await assert.rejects(ask(path, signed(parties.thief)), nobody)
  await assert.rejects(ask(path, { certificate: sha(parties.thief) }), nobody)
  await assert.rejects(ask(randomUUID(), signed(parties.phone)), nobody)
  await assert.rejects(ask(path, {}), { ...nobody, message: /Mdm-Signature is missing/ })
  assert.deepEqual(traces, ['identity-refused', 'identity-refused', 'identity-refused'])
})

const swaps: [name: string, rows: (path: string) => FoundVoucher[]][] = [
  ['moved from another device’s URLs', path => [{ ...row(parties.phone, randomUUID()), path }]],
  ['put beside another certificate', path => [{ ...row(parties.mac, path), certificate: sha(parties.phone) }]],
  ['signed by somebody else', path => [row(parties.phone, path, {}, generateKeyPairSync('ed25519').privateKey)]],
  [
    'with another tier',
    path => {
      const r = row(parties.phone, path)
      return [{ ...r, voucher: r.voucher.replace('"private"', '"full"') }]
    },
  ],
  [
    'with a later end',
    path => {
      const r = row(parties.phone, path)
      return [{ ...r, voucher: r.voucher.replace(String(NOW + DAY), String(NOW + 2 * DAY)) }]
    },
  ],
  [
    'with the signature of another',
    path => [{ ...row(parties.phone, path), signature: row(parties.phone, path).signature }],
  ],
  ['that is no voucher', path => [{ ...row(parties.phone, path), voucher: '{}' }]],
]
for (const [name, rows] of swaps)
  test(`a voucher ${name} is as good as none`, async () => {
    const path = randomUUID()
    const { ask, traces } = world(rows(path))
    await assert.rejects(ask(path, signed(parties.phone)), nobody)
    assert.ok(traces.includes('voucher-unproven'))
  })

test('one bad row does not lock out the others on its URLs', async () => {
  const path = randomUUID()
  const { ask } = world([{ ...row(parties.mac, path), signature: 'AAAA' }, row(parties.phone, path)])
  assert.ok(await ask(path, signed(parties.phone)))
})

test('a revoked or superseded certificate is nobody, a minute later at most', async () => {
  for (const state of ['revoked', 'superseded']) {
    const path = randomUUID()
    const found = row(parties.phone, path)
    const place = world([found])
    assert.ok(await place.ask(path, signed(parties.phone)))
    found.state = state
    place.state.now += 60
    await assert.rejects(place.ask(path, signed(parties.phone)), nobody)
  }
})

test('within that minute the table is not asked again; for a certificate that is not known it is', async () => {
  const path = randomUUID()
  const place = world([row(parties.phone, path)])
  for (let times = 0; times < 3; times++) await place.ask(path, signed(parties.phone))
  assert.equal(place.state.asked, 1)
  place.state.rows.push(row(parties.renewed, path))
  assert.ok(await place.ask(path, signed(parties.renewed)))
  assert.equal(place.state.asked, 2)
})

test('a stranger who comes again and again is not looked up again for some seconds, nor are many at once one by one', async () => {
  const path = randomUUID()
  const place = world([row(parties.phone, path)])
  await place.ask(path, signed(parties.phone))
  const strangers = (count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, n) =>
        assert.rejects(place.ask(path, { certificate: sha256Hex(`${n} of ${count}`) }), nobody),
      ),
    )
  await strangers(1)
  assert.equal(place.state.asked, 2)
  await strangers(1)
  assert.equal(place.state.asked, 2)
  await strangers(100)
  assert.equal(place.state.asked, 4) // one that began with the first of them, and one for all the others
  await strangers(100)
  assert.equal(place.state.asked, 4)
  place.state.now += 5
  await strangers(1)
  assert.equal(place.state.asked, 5)
  assert.ok(await place.ask(path, signed(parties.phone)))
})

test('who comes while the table is being read for others is found in the next reading', async () => {
  const path = randomUUID()
  const place = world([row(parties.phone, path)])
  await place.ask(path, signed(parties.phone))
  const stranger = assert.rejects(place.ask(path, { certificate: sha(parties.thief) }), nobody)
  while (place.state.asked < 2) await Promise.resolve()
  place.state.rows = [...place.state.rows, row(parties.renewed, path)]
  assert.ok(await place.ask(path, signed(parties.renewed)))
  await stranger
})

test('a row that was changed after it was read is verified again', async () => {
  const path = randomUUID()
  const found = row(parties.phone, path)
  const place = world([found])
  assert.ok(await place.ask(path, signed(parties.phone)))
  found.signature = row(parties.phone, path).signature
  place.state.now += 60
  await assert.rejects(place.ask(path, signed(parties.phone)), nobody)
})

test('a certificate ends in the second that its voucher says, whatever the table does', async () => {
  const path = randomUUID()
  const place = world([row(parties.phone, path)])
  place.state.now = NOW + DAY - 1
  assert.ok(await place.ask(path, signed(parties.phone)))
  place.state.now = NOW + DAY
  await assert.rejects(place.ask(path, signed(parties.phone)), { ...nobody, message: /expired/ })
})

test('old and new are both accepted until the new one is used, and the old one is nobody after', async () => {
  const path = randomUUID()
  const place = world([row(parties.phone, path), row(parties.renewed, path, { previous: sha(parties.phone) })])
  const old = await place.ask(path, signed(parties.phone))
  assert.equal(old.identity.current, false)
  assert.deepEqual(place.superseded, [])
  const renewed = await place.ask(path, signed(parties.renewed))
  assert.equal(renewed.identity.current, true)
  assert.deepEqual(place.superseded, [sha(parties.phone)])
  await assert.rejects(place.ask(path, signed(parties.phone)), nobody)
  await place.ask(path, signed(parties.renewed))
  assert.equal(place.superseded.length, 1)
})

test('a body that was changed, or that another key signed, is nobody’s', async () => {
  const path = randomUUID()
  const { ask } = world([row(parties.phone, path)])
  const other = Buffer.from(IDLE.toString().replace('Idle', 'Error'))
  await assert.rejects(ask(path, { ...signed(parties.phone), body: other }))
  const forged = { ...parties.thief, certificate: parties.phone.certificate }
  await assert.rejects(ask(path, { signature: mdmSignature(IDLE, forged) }), { ...nobody, message: /does not hold/ })
})

test('an intake that lies cannot make anybody of nobody, nor one device of another', async () => {
  const path = randomUUID()
  const { context, ask } = world([row(parties.phone, path), row(parties.mac, path)])
  const [device] = (await context.identities.ofPath(path)).values()
  const message = { status: 'Idle', user: null, command: null, code: null, domain: null, facts: null, sealed: null }
  const lying = (signer: Partial<SignerFound> | null): Context => ({
    ...context,
    intake: { ask: async () => ({ signer, device: device!.voucher.device, message }) } as unknown as Context['intake'],
  })
  const claim = { certificate: sha(parties.phone), attributes: null, digest: 'sha256' as const, signature: 'AAAA' }
  await assert.rejects(ask(path, { signature: 'AAAA' }, lying(null)), nobody)
  await assert.rejects(ask(path, { signature: 'AAAA' }, lying(claim)), nobody)
  await assert.rejects(ask(path, { certificate: sha(parties.mac) }, lying(claim)), nobody)
  await assert.rejects(ask(path, { certificate: sha(parties.thief) }, lying(null)), nobody)
})

// check-ins -----------------------------------------------------------------------------------------------------------

test('a Mac that asks for its bootstrap token too often does not reach the vault', async () => {
  const path = randomUUID()
  const { context } = world([row(parties.mac, path)])
  const asked: unknown[] = []
  const bootstrapToken = async (ask: unknown) => {
    asked.push(ask)
    return null
  }
  const may = createAllowance(2, 3600, context.clock)
  const by = { ...context, vault: { bootstrapToken }, mayAskForBootstrapToken: may } as unknown as Context
  const body = Buffer.from(encodeXmlPlist(dictOf([['MessageType', 'GetBootstrapToken']])))
  const ask = () => checkin({ path, certificate: null, ...signed(parties.mac, body) }, by)
  for (let times = 0; times < 2; times++) assert.equal(await ask(), null)
  await assert.rejects(ask(), { code: 'REFUSED', message: /too often/ })
  assert.equal(asked.length, 2)
  const [{ device }] = [...(await context.identities.ofPath(path)).values()].map(({ voucher }) => voucher) as [Voucher]
  assert.equal((asked[0] as { device: string }).device, device)
})

test('a check-in that says more than is kept is refused', async () => {
  const path = randomUUID()
  const { context } = world([row(parties.phone, path)])
  const ask = (type: string, size: number) => {
    const message = { type, user: null, facts: {}, sealed: Buffer.alloc(size).toString('base64') }
    const found = {
      signer: null,
      device: 'd',
      message: { ...message, push: { sealed: '', topic: '', unlockToken: null } },
    }
    const store = { ...context.store, authenticate: async () => {}, tokenUpdate: async () => {} }
    const by = { ...context, store, intake: { ask: async () => found } } as unknown as Context
    return checkin({ path, certificate: sha(parties.phone), signature: null, body: IDLE }, by)
  }
  for (const type of ['Authenticate', 'TokenUpdate']) {
    assert.equal(await ask(type, 256 * 1024), null)
    await assert.rejects(ask(type, 256 * 1024 + 1), { code: 'LIMIT' })
  }
})

// signatureHolds ------------------------------------------------------------------------------------------------------

function found(who: Party, body: Buffer, shape: Parameters<typeof mdmSignature>[2] = {}): SignerFound {
  const cms = decodeSignedData(Buffer.from(mdmSignature(body, who, shape), 'base64'))
  contentOf(cms, body)
  const [signer] = cms.signers
  return {
    certificate: sha(who),
    attributes: signer!.signedAttributes?.bytesToVerify.toString('base64') ?? null,
    digest: shape.digest ?? 'sha256',
    signature: signer!.signature.toString('base64'),
  }
}
const b64 = (bytes: Buffer) => bytes.toString('base64')
const digestOf = (body: Buffer, name = 'sha256') => createHash(name).update(body).digest()

test('the signatures of the field hold: with attributes and without, SHA-1 and SHA-256, RSA and EC', () => {
  for (const who of [parties.phone, parties.mac])
    for (const digest of ['sha1', 'sha256'] as const)
      for (const attributes of [true, false]) {
        const signer = found(who, IDLE, { digest, attributes })
        assert.equal(signatureHolds(signer, IDLE, who.publicKey), true)
        assert.equal(signatureHolds(signer, Buffer.concat([IDLE, Buffer.from(' ')]), who.publicKey), false)
        assert.equal(signatureHolds(signer, IDLE, parties.thief.publicKey), false)
      }
})

test('attributes of another body do not carry this one, nor do attributes of nobody', () => {
  const other = Buffer.from('another body')
  const signer = found(parties.phone, other)
  const { publicKey } = parties.phone
  assert.equal(signatureHolds(signer, other, publicKey), true)
  assert.equal(signatureHolds(signer, IDLE, publicKey), false)
  assert.equal(signatureHolds({ ...signer, attributes: found(parties.thief, IDLE).attributes }, IDLE, publicKey), false)
})

test('the digest counts only as the messageDigest attribute, and only in the algorithm that was signed with', () => {
  const { privateKey, publicKey } = parties.phone
  const holds = (attributes: Buffer, digest: SignerFound['digest'] = 'sha256') =>
    signatureHolds(
      { certificate: '', attributes: b64(attributes), digest, signature: b64(sign(digest, attributes, privateKey)) },
      IDLE,
      publicKey,
    )
  const attribute = (oid: string, value: Buffer) => {
    const body = Buffer.concat([
      Buffer.from(oid, 'hex'),
      Buffer.from([0x31, value.length + 2, 0x04, value.length]),
      value,
    ])
    return Buffer.concat([Buffer.from([0x31, body.length + 2, 0x30, body.length]), body])
  }
  const messageDigest = '06092a864886f70d010904'
  assert.equal(holds(attribute(messageDigest, digestOf(IDLE))), true)
  assert.equal(holds(attribute('06092a864886f70d010903', digestOf(IDLE))), false)
  assert.equal(holds(attribute(messageDigest, digestOf(IDLE, 'sha1'))), false)
  assert.equal(holds(attribute(messageDigest, digestOf(IDLE)), 'sha1'), false)
  assert.equal(holds(attribute(messageDigest, Buffer.concat([Buffer.alloc(2), digestOf(IDLE)]))), false)
  assert.equal(holds(Buffer.from([0x31, 0])), false)
})

test('signed attributes that were caught are not a body, and a body that was caught is not attributes', () => {
  const { privateKey, publicKey } = parties.phone
  const caught = found(parties.phone, IDLE)
  const replayed = Buffer.from(caught.attributes!, 'base64')
  assert.equal(signatureHolds({ ...caught, attributes: null }, replayed, publicKey), false)

  // A device that signs without attributes reports a profile that somebody gave it, with the attribute for a body of theirs inside.
  const wanted = Buffer.from('what the thief wants to have said')
  const inside = Buffer.concat([Buffer.from('302f06092a864886f70d01090431220420', 'hex'), digestOf(wanted)])
  const report = Buffer.concat([Buffer.from('bplist00'), inside])
  const signature = b64(sign('sha256', report, privateKey))
  const honest: SignerFound = { certificate: '', attributes: null, digest: 'sha256', signature }
  assert.equal(signatureHolds(honest, report, publicKey), true)
  assert.equal(signatureHolds({ ...honest, attributes: b64(report) }, wanted, publicKey), false)
})

test('what is no signature at all is false, not an error', () => {
  const { publicKey } = parties.phone
  for (const signature of ['', 'AAAA', '!', 'A'.repeat(40_000)])
    for (const attributes of [null, '', 'MQA=', '!'])
      for (const digest of ['sha256', 'constructor'] as 'sha256'[])
        assert.equal(signatureHolds({ certificate: '', attributes, digest, signature }, IDLE, publicKey), false)
})
