import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { createDevice } from '../../simulator/device.ts'
import { enrolmentOf, openProfile } from '../../simulator/profile.ts'
import { encodeXmlPlist } from '../../src/wire/plist/plist.ts'
import { type Installation, startInstallation } from '../support/installation.ts'

// A SCEP client that none of us wrote: pki of strongSwan (Debian: strongswan-pki; libstrongswan-extra-plugins fetches over HTTP).

const skip = withoutPki()
function withoutPki(): string | false {
  if (spawnSync('pki', ['--scep', '--help']).status !== 0) return 'pki --scep is not installed'
  const { stderr } = spawnSync('pki', ['--scepca', '--url', 'http://127.0.0.1:9/'], { encoding: 'utf8' })
  return /no capable fetcher/.test(stderr) && 'pki cannot fetch over HTTP: libstrongswan-extra-plugins is not installed'
}

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-pki-'))
let home: Installation
/** The profile of an invitation for many. */
let open: string
before(async () => {
  if (skip) return
  home = await startInstallation()
  open = (await home.invite({ uses: 50 })).profileUrl
  await learn((await profileOf(open)).scep.url)
})
after(async () => {
  await home?.stop()
  rmSync(folder, { recursive: true, force: true })
})

type Failure = Error & { stderr: string }
/** Runs pki in the folder. Rejects, with what it said, when it is not content. */
const pki = async (...line: string[]) =>
  (await promisify(execFile)('pki', line, { cwd: folder, timeout: 30_000, encoding: 'utf8' })).stdout

function keyFile(name: string, bits = 2048): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: bits })
  writeFileSync(join(folder, name), privateKey.export({ format: 'pem', type: 'pkcs1' }))
  return name
}

/** What a device would read in the profile: SCEP's URL and challenge, and where to check in afterwards. */
async function profileOf(profileUrl: string) {
  const answer = await fetch(profileUrl)
  assert.equal(answer.status, 200)
  return enrolmentOf(openProfile(new Uint8Array(await answer.arrayBuffer())))
}

/** GetCACaps and GetCACert, by pki: writes ca.pem and ra.pem. */
const learn = (url: string) =>
  pki('--scepca', '--url', url, '--caout', 'ca.pem', '--raout', 'ra.pem', '--outform', 'pem', '--force')

type Ask = { url: string; key: string; challenge?: string; old?: { cert: string; key: string }; more?: string[] }
let asked = 0
/** PKIOperation. The certificate's file, after pki has checked the answer's signature and the certificate's chain. */
async function enrol({ url, key, challenge, old, more = [] }: Ask): Promise<{ file: string; pem: string }> {
  const trust = ['--cacert-enc', 'ra.pem', '--cacert-sig', 'ra.pem', '--cacert', 'ca.pem']
  const by = old ? ['--cert', old.cert, '--key', old.key] : ['--password', challenge ?? '']
  const pem = await pki(
    ...['--scep', '--url', url, '--in', key, '--dn', 'O=Example, CN=A phone', '--outform', 'pem'],
    ...[...trust, ...by, ...more],
  )
  const file = `issued-${asked++}.pem`
  writeFileSync(join(folder, file), pem)
  return { file, pem }
}

/** A check-in signed with what pki holds. */
async function authenticate(checkInUrl: string, pem: string, key: string) {
  const device = createDevice({ seed: 'strongswan', model: 'iphone' })
  const identity = {
    certificate: Buffer.from(new X509Certificate(pem).raw),
    privateKey: createPrivateKey(readFileSync(join(folder, key))),
  }
  const body = encodeXmlPlist({ MessageType: 'Authenticate', Topic: 'x', UDID: device.self.udid })
  try {
    return (await device.send(checkInUrl, body, { identity, contentType: null, signature: {} })).status
  } finally {
    device.close()
  }
}

test('pki reads the certificates of CA and RA, and trusts the RA by the CA', { skip }, async () => {
  await learn((await profileOf(open)).scep.url)
  const said = await pki('--verify', '--in', 'ra.pem', '--cacert', 'ca.pem')
  assert.match(said, /certificate trusted/)
})

const algorithms = ['aes sha256', 'aes sha384', 'aes sha512', 'des3 sha1', 'des3 sha256']
for (const [cipher, digest] of algorithms.map(both => both.split(' ') as [string, string]))
  test(`pki enrols and renews with ${cipher} and ${digest}`, { skip }, async () => {
    const { scep, checkInUrl } = await profileOf(open)
    const { url, challenge } = scep
    const more = ['--cipher', cipher, '--digest', digest]
    const key = keyFile(`${cipher}-${digest}.key`)
    const first = await enrol({ url, key, challenge, more })
    assert.equal(await authenticate(checkInUrl, first.pem, key), 200)

    const newKey = keyFile(`${cipher}-${digest}-new.key`)
    const second = await enrol({ url, key: newKey, old: { cert: first.file, key }, more })
    const [before, renewed] = [new X509Certificate(first.pem), new X509Certificate(second.pem)]
    assert.equal(renewed.subject, before.subject) // the device's id
    assert.notEqual(renewed.serialNumber, before.serialNumber)
    assert.equal(await authenticate(checkInUrl, first.pem, key), 200) // both are good until the new one is used
    assert.equal(await authenticate(checkInUrl, second.pem, newKey), 200)
    assert.equal(await authenticate(checkInUrl, first.pem, key), 403)
  })

test('pki is refused with a wrong challenge, and the invitation can still be used', { skip }, async () => {
  const { profileUrl } = await home.invite()
  const { scep } = await profileOf(profileUrl)
  const ask = { url: scep.url, key: keyFile('wrong.key') }
  await assert.rejects(enrol({ ...ask, challenge: 'open sesame' }), ({ stderr }: Failure) =>
    /failInfo: +badRequest/.test(stderr),
  )
  assert.ok(await enrol({ ...ask, challenge: scep.challenge }))
})

test('pki is refused with a challenge of an invitation that is used up', { skip }, async () => {
  const { profileUrl } = await home.invite()
  const [one, other] = [await profileOf(profileUrl), await profileOf(profileUrl)]
  await enrol({ url: one.scep.url, key: keyFile('first.key'), challenge: one.scep.challenge })
  const late = { url: other.scep.url, key: keyFile('second.key'), challenge: other.scep.challenge }
  await assert.rejects(enrol(late), ({ stderr }: Failure) => /failInfo: +badRequest/.test(stderr))
})

test('pki is refused at the URLs of another device, with a challenge and with a certificate', { skip }, async () => {
  const [mine, other] = [await profileOf(open), await profileOf(open)]
  const key = keyFile('mine.key')
  const { file } = await enrol({ url: mine.scep.url, key, challenge: mine.scep.challenge })
  const fresh = keyFile('fresh.key')
  await assert.rejects(enrol({ url: other.scep.url, key: fresh, challenge: mine.scep.challenge }))
  await assert.rejects(enrol({ url: other.scep.url, key: fresh, old: { cert: file, key } }))
  assert.ok(await enrol({ url: other.scep.url, key: fresh, challenge: other.scep.challenge }))
})
