import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createDevice, type Device } from '../../simulator/device.ts'
import { identityPem, makeKeys, throwAwaySigner } from '../../simulator/identity.ts'
import { openAnswer, scepRequest } from '../../simulator/scep.ts'
import { decodeSignedData } from '../../src/wire/pkcs/signed-data.ts'
import { decodePlist, encodeXmlPlist } from '../../src/wire/plist/plist.ts'
import { type Installation, startInstallation } from '../support/installation.ts'
import { Bench, pem, withoutOpenssl as skip } from '../support/pkcs.ts'

// What the server serves, judged by OpenSSL, that none of us wrote.

let home: Installation
let device: Device
let signedUrl: string
const bench = new Bench()
before(async () => {
  if (skip) return
  home = await startInstallation()
  signedUrl = (await home.invite({ uses: 20 })).profileUrl
  device = createDevice({ seed: 'judged', model: 'iphone' })
  await device.enrol(signedUrl)
  const [ca, ra] = decodeSignedData(await bytesOf(`${scepUrl()}?operation=GetCACert`)).certificates
  const { key, cert } = identityPem(device.state.identity!)
  bench.write({
    'ca.pem': pem('CERTIFICATE', ca!),
    'ra.pem': pem('CERTIFICATE', ra!),
    'device.pem': cert,
    'device.key': key,
  })
})
after(async () => {
  device?.close()
  await home?.stop()
  bench[Symbol.dispose]()
})

const scepUrl = () => device.state.enrolment!.scep.url
async function bytesOf(url: string): Promise<Buffer> {
  const answer = await fetch(url)
  assert.equal(answer.status, 200)
  return Buffer.from(await answer.arrayBuffer())
}

test('OpenSSL reads the certificates of GetCACert out of their CMS', { skip }, async () => {
  bench.write({ certs: await bytesOf(`${scepUrl()}?operation=GetCACert`) })
  const said = bench.run('pkcs7 -inform DER -in certs -print_certs -noout')
  assert.equal(said.match(/^subject=/gm)?.length, 2)
})

test('OpenSSL verifies CA, RA and the issued certificate by the CA, strictly', { skip }, () => {
  for (const name of ['ca', 'ra', 'device'])
    assert.match(bench.run(`verify -x509_strict -CAfile ca.pem ${name}.pem`), /: OK/, name)
})

test('the issued certificate is for TLS clients and for nothing else', { skip }, () => {
  assert.match(bench.run('verify -purpose sslclient -CAfile ca.pem device.pem'), /: OK/)
  for (const purpose of ['sslserver', 'smimesign', 'timestampsign'])
    assert.throws(() => bench.run(`verify -purpose ${purpose} -CAfile ca.pem device.pem`), purpose)
})

test('OpenSSL verifies a signed profile by the CA, and finds what an unsigned profile says', { skip }, async () => {
  bench.write({ signed: await bytesOf(signedUrl) })
  bench.run('cms -verify -inform DER -in signed -CAfile ca.pem -out content -signer signer.pem')
  assert.match(bench.run('verify -x509_strict -CAfile ca.pem signer.pem'), /: OK/)
  const unsigned = await bytesOf((await home.invite({ unsigned: true })).profileUrl)
  assert.equal(unsigned.toString('latin1', 0, 5), '<?xml')
  const [one, other] = [bench.read('content'), unsigned].map(bytes => comparable(decodePlist(bytes)))
  assert.deepEqual(one, other)
})

/** All that is the same in two profiles of one installation: not the URLs' tokens, the ids made from them, and the challenge. */
function comparable(profile: unknown) {
  const text = JSON.stringify(profile)
  assert.match(text, /"AccessRights":8151/)
  return JSON.parse(
    text
      .replaceAll(/\/d\/[\w-]{43}\//g, '/d/TOKEN/')
      .replaceAll(/[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}/g, 'UUID')
      .replace(/("Challenge":)"[\w-]{80,}"/, '$1"CHALLENGE"'),
  )
}

test('a signed profile in which one letter was changed is not verified', { skip }, async () => {
  const bytes = await bytesOf(signedUrl)
  const at = bytes.indexOf('AccessRights')
  bytes[at] = bytes[at]! ^ 1
  bench.write({ changed: bytes })
  assert.throws(
    () => bench.run('cms -verify -inform DER -in changed -CAfile ca.pem -out ignored'),
    /verification failure/i,
  )
})

test('OpenSSL verifies the answer of SCEP by the CA, and opens it with the key that asked', { skip }, async () => {
  const keys = await makeKeys('rsa')
  const signer = throwAwaySigner(keys, new Date())
  const other = createDevice({ seed: 'asks', model: 'iphone' })
  await other.install(signedUrl)
  const { url, challenge } = other.state.enrolment!.scep
  const certificates = decodeSignedData(await bytesOf(`${url}?operation=GetCACert`)).certificates.map(Buffer.from)
  const server = { capabilities: new Set(['SCEPStandard']), certificates }
  const ask = scepRequest(server, { url, challenge, keys, signer, commonName: 'x' })
  const answered = await other.send(`${url}?operation=PKIOperation`, ask.body, {
    method: 'POST',
    contentType: 'application/x-pki-message',
    signature: false,
  })
  other.close()
  const issued = openAnswer(answered.body, server, signer, ask)

  const throwAway = identityPem(signer)
  bench.write({ answer: answered.body, 'asker.pem': throwAway.cert, 'asker.key': throwAway.key })
  bench.run('cms -verify -inform DER -in answer -CAfile ca.pem -out envelope')
  bench.run('cms -decrypt -inform DER -in envelope -recip asker.pem -inkey asker.key -out opened')
  const said = bench.run('pkcs7 -inform DER -in opened -print_certs')
  assert.ok(said.replaceAll('\n', '').includes(issued.toString('base64')))
})

/** One request over `openssl s_client`; what came back. The server's certificate must be the installation's own. */
async function overTls(...options: string[]): Promise<string> {
  const { host, hostname } = new URL(home.tlsUrl)
  const { pathname } = new URL(device.state.enrolment!.serverUrl)
  const body = Buffer.from(encodeXmlPlist({ UDID: device.self.udid, Status: 'Idle' })).toString()
  const trust = ['-CAfile', join(home.home, 'edge/keys/tls.crt'), '-verify_return_error', '-verify_ip', hostname]
  const child = spawn('openssl', ['s_client', '-quiet', '-connect', host, ...trust, ...options], { cwd: bench.folder })
  let [out, errors] = ['', '']
  child.stdout.on('data', chunk => (out += chunk))
  child.stderr.on('data', chunk => (errors += chunk))
  child.stdin.on('error', () => {})
  child.stdin.write(
    `PUT ${pathname} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  await new Promise(resolve => child.on('close', resolve))
  return out || errors
}

for (const version of ['-tls1_2', '-tls1_3'])
  test(`s_client is the device with its certificate over ${version.slice(1)}, and nobody without`, {
    skip,
  }, async () => {
    const mine = ['-cert', 'device.pem', '-key', 'device.key']
    assert.match(await overTls(version, ...mine), /^HTTP\/1\.1 200 OK\r\n/)
    assert.match(await overTls(version), /^HTTP\/1\.1 403 [\s\S]*UNPROVEN/)
  })

test('s_client is nobody with a certificate that it made itself for the same name', { skip }, async () => {
  bench.run('req -x509 -newkey rsa:2048 -nodes -keyout own.key -out own.pem -subj /CN=same')
  assert.match(await overTls('-cert', 'own.pem', '-key', 'own.key'), /^HTTP\/1\.1 403 [\s\S]*UNPROVEN/)
})

test('s_client finds no TLS below 1.2', { skip }, async () => {
  assert.match(
    await overTls('-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0'),
    /alert protocol version|no protocols available/,
  )
})
