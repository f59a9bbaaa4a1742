import assert from 'node:assert/strict'
import { randomUUID, X509Certificate } from 'node:crypto'
import { after, before, test } from 'node:test'
import { type TestVault, testVault } from '../../test/support/vault.ts'
import { rpcClient } from '../base/rpc.ts'
import { openToken } from '../trust/token.ts'
import { enrolmentProfileBytes } from '../wire/apple/enrolment.ts'
import { decodeCertificate } from '../wire/pkcs/certificate.ts'
import { publicKeyOf } from '../wire/pkcs/key.ts'
import { decodeSignedData, encodeSignedDataFrom, issuerAndSerial, verifySigner } from '../wire/pkcs/signed-data.ts'
import { openChallenge } from './challenge.ts'

let vault: TestVault
before(async () => {
  vault = await testVault()
})
after(() => vault.close())

test('the profile that the edge builds is the one that the vault signed', async () => {
  const { id } = await vault.invite()
  const parts = await vault.edge.enrolmentProfile(id)
  const bytes = enrolmentProfileBytes(parts)
  const { certificates, attributes, signature } = parts.signer!
  const [signer, ca] = certificates.map(text => Buffer.from(text, 'base64')) as [Buffer, Buffer]
  assert.ok(new X509Certificate(signer).verify(new X509Certificate(ca).publicKey))
  const certificate = decodeCertificate(signer)
  const cms = encodeSignedDataFrom({
    content: bytes,
    certificates: [signer, ca],
    issuerAndSerial: issuerAndSerial(certificate),
    digest: 'sha256',
    kind: 'rsa',
    signedAttributes: Buffer.from(attributes, 'base64'),
    signature: Buffer.from(signature, 'base64'),
  })
  const read = decodeSignedData(cms)
  assert.ok(verifySigner(read.signers[0]!, bytes, publicKeyOf(certificate.spki)))
  const wider = enrolmentProfileBytes({ ...parts, tier: 'full' })
  assert.equal(verifySigner(read.signers[0]!, wider, publicKeyOf(certificate.spki)), false)
})

test('each profile has a path of its own, with a token and a challenge for that path', async () => {
  const { id } = await vault.invite()
  const [one, other] = [await vault.edge.enrolmentProfile(id), await vault.edge.enrolmentProfile(id)]
  assert.notEqual(one.path, other.path)
  assert.equal(openToken('device', one.pathToken, vault.keys.pathToken), one.path)
  assert.equal(openToken('invitation', one.pathToken, vault.keys.pathToken), undefined)
  const challenge = openChallenge(one.challenge, vault.keys.challenge)
  assert.deepEqual([challenge?.kind, challenge?.path], ['enrolment', one.path])
  assert.equal(vault.ledger.ofType('consumed').length, 0)
})

test('an unsigned profile comes without a signer', async () => {
  const { id } = await vault.invite({ signed: false })
  assert.equal((await vault.edge.enrolmentProfile(id)).signer, null)
})

test('an invitation that ended, is not there, or was not approved as it stands gives no profile', async () => {
  const now = vault.clock()
  const refused = (id: string, code: string) => assert.rejects(vault.edge.enrolmentProfile(id), { code })
  const ended = await vault.invite({ notBefore: now - 100, expiresAt: now - 1 })
  await refused(ended.id, 'EXPIRED')
  assert.equal((await vault.edge.invitationPage(ended.id)).state, 'expired')
  await refused(randomUUID(), 'NOT_FOUND')
  await refused((await vault.invite({ notBefore: now + 1000 })).id, 'NOT_FOUND')
  const { id, statement } = await vault.invite({ tier: 'private' })
  const wider = statement.replace('"tier":"private"', '"tier":"full"')
  await vault.owner.query('update console.invitation set statement = $2 where invitation_id = $1', [id, wider])
  await refused(id, 'UNPROVEN')
  const other = await vault.invite()
  await vault.owner.query('update console.invitation set statement = $2, approval = $3 where invitation_id = $1', [
    id,
    other.statement,
    other.approval,
  ])
  await refused(id, 'UNPROVEN')
})

test('the console gets an invitation token for what a member approved, and for nothing else', async () => {
  const { id, statement, approval } = await vault.invite()
  const { token } = await vault.console.invite({ statement, approval })
  assert.equal(openToken('invitation', token, vault.keys.pathToken), id)
  const other = await vault.invite()
  await assert.rejects(vault.console.invite({ statement: other.statement, approval }), { code: 'UNPROVEN' })
  const ended = await vault.invite({ notBefore: 0, expiresAt: 1 })
  const late = { statement: ended.statement, approval: ended.approval }
  await assert.rejects(vault.console.invite(late), { code: 'EXPIRED' })
})

test('a caller sees the methods of its own socket only', async () => {
  const edge = rpcClient({ path: vault.sockets.edge, name: 'vault' })
  for (const method of ['pushCsr', 'invite', 'toString', '__proto__'])
    await assert.rejects(edge.call(method, {}), { code: 'FORBIDDEN' }, method)
  await assert.rejects(edge.call('scep', { path: '../x' }), { code: 'MALFORMED' })
  edge.close()
})
