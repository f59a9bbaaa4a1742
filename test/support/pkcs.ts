// For tests only: keys and certificates made once per test process, and OpenSSL as a foreign peer.
import { execFileSync, spawnSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BulkheadError, type ErrorCode } from '../../src/base/errors.ts'
import { type CertificateFields, encodeName, issueCertificate, keyIdentifier } from '../../src/wire/pkcs/certificate.ts'

export interface Party {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  readonly spki: Buffer
  /** Signs with SHA-256. */
  readonly sign: (bytes: Buffer) => Buffer
  readonly certificate: Buffer
}

interface Keys {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

export const rsaKeys = (): Keys => generateKeyPairSync('rsa', { modulusLength: 2048 })
export const ecKeys = (namedCurve = 'P-256'): Keys => generateKeyPairSync('ec', { namedCurve })

export const spkiOf = (keys: Keys): Buffer => keys.publicKey.export({ format: 'der', type: 'spki' })
export const signWith =
  (key: KeyObject, digest = 'sha256') =>
  (bytes: Buffer): Buffer =>
    sign(digest, bytes, key)

export const validity = { notBefore: new Date('2020-01-01'), notAfter: new Date('2060-01-01') }
export const authorityName = encodeName({ O: 'Bureau of Tests', CN: 'Test authority' })

/** A certificate for the keys, signed by the authority, or by itself where there is none. */
export function party(keys: Keys, fields: Partial<CertificateFields>, authority?: Party): Party {
  const spki = spkiOf(keys)
  const signer = authority ?? { ...keys, sign: signWith(keys.privateKey), spki }
  const certificate = issueCertificate(
    {
      ...validity,
      serial: randomBytes(16),
      issuer: authority ? authorityName : (fields.subject ?? authorityName),
      subject: authorityName,
      spki,
      keyUsage: ['digitalSignature', 'keyEncipherment'],
      authorityKey: keyIdentifier(signer.spki),
      signature: signer.privateKey.asymmetricKeyType === 'rsa' ? 'rsa-sha256' : 'ecdsa-sha256',
      ...fields,
    },
    signer.sign,
  )
  return { ...keys, spki, sign: signWith(keys.privateKey), certificate }
}

export const authority = (): Party => party(rsaKeys(), { isCa: true, keyUsage: ['keyCertSign', 'cRLSign'] })

/** For assert.throws: an error of ours with one of the codes. */
export const code =
  (...expected: ErrorCode[]) =>
  (error: unknown): boolean =>
    error instanceof BulkheadError && expected.includes(error.code)

/** The value for `skip` in tests that need OpenSSL. */
export const withoutOpenssl = spawnSync('openssl', ['version']).status === 0 ? false : 'openssl is not installed'

export const pem = (label: string, der: Buffer): string => {
  const lines = der
    .toString('base64')
    .match(/.{1,64}/g)!
    .join('\n')
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}

/** A folder of files to run OpenSSL in. Arguments are split at spaces. */
export class Bench implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'pkcs-test-'))

  write(files: Readonly<Record<string, string | Buffer>>): void {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(this.folder, name), content)
  }

  writeParty(name: string, { privateKey, certificate }: Party): void {
    const key = privateKey.export({ format: 'pem', type: 'pkcs8' })
    this.write({ [`${name}.key`]: key, [`${name}.pem`]: pem('CERTIFICATE', certificate) })
  }

  read(name: string): Buffer {
    return readFileSync(join(this.folder, name))
  }

  run(command: string): string {
    const options = { cwd: this.folder, encoding: 'utf8', stdio: 'pipe' } as const
    return execFileSync('openssl', command.split(' '), options)
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true })
  }
}
