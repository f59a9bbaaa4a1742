import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BulkheadError } from '../base/errors.ts'
import { rawPublic } from '../wire/hpke.ts'
import {
  type Certificate,
  type CertificateFields,
  decodeCertificate,
  encodeName,
  issueCertificate,
} from '../wire/pkcs/certificate.ts'
import { fromPem, toPem } from './pem.ts'

/**
 * The vault's keys, in files that only their owner reads. Who has ca.key makes identities without vouchers; voucher.key makes
 * them count; ra.key reads enrolment requests; profile.key signs profiles; seal.key opens push and unlock tokens; challenge.key
 * makes challenges; path-token.key (the edge has a copy) makes URLs.
 */
export type Identity = { readonly key: KeyObject; readonly certificate: Certificate }
export type VaultKeys = {
  readonly ca: Identity
  readonly ra: Identity
  readonly profile: Identity
  readonly voucher: KeyObject
  readonly seal: KeyObject
  readonly pathToken: Buffer
  readonly challenge: Buffer
}

const DAY = 86_400_000
/** RA and profile certificates live as long as the CA: they are pinned to one installation and replaced with it. */
const LIFE = 10 * 365 * DAY
export const SECRET = 0o600

type Generate = { name: string; now: number; random: (size: number) => Buffer }

/** Makes all keys in an empty folder. `name`: the organisation in the certificates; `now`: milliseconds. Throws CONFLICT where keys are. */
export function generateVaultKeys(dir: string, options: Generate): { voucher: string; seal: string } {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const ca = makeIdentity(options, undefined, {
    commonName: `${options.name} device CA`,
    isCa: true,
    keyUsage: ['keyCertSign', 'cRLSign'],
  })
  const ra = makeIdentity(options, ca, {
    commonName: `${options.name} enrolment`,
    keyUsage: ['digitalSignature', 'keyEncipherment'],
  })
  const profile = makeIdentity(options, ca, { commonName: options.name, keyUsage: ['digitalSignature'] })
  const voucher = generateKeyPairSync('ed25519').privateKey
  const seal = generateKeyPairSync('x25519').privateKey
  for (const [name, identity] of Object.entries({ ca, ra, profile })) {
    write(dir, `${name}.key`, keyPem(identity.key))
    write(dir, `${name}.crt`, toPem('CERTIFICATE', identity.certificate.der))
  }
  write(dir, 'voucher.key', keyPem(voucher))
  write(dir, 'seal.key', keyPem(seal))
  write(dir, 'path-token.key', options.random(32))
  write(dir, 'challenge.key', options.random(32))
  return { voucher: spkiOf(voucher).toString('base64'), seal: rawPublic(seal).toString('base64') }
}

type Wanted = {
  commonName: string
  isCa?: boolean
  keyUsage: CertificateFields['keyUsage']
}

function makeIdentity(options: Generate, issuer: Identity | undefined, wanted: Wanted): Identity {
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const subject = encodeName({ O: options.name, CN: wanted.commonName })
  const der = issueCertificate(
    {
      serial: newSerial(options.random),
      issuer: issuer?.certificate.subject ?? subject,
      subject,
      notBefore: new Date(options.now - DAY),
      notAfter: new Date(options.now + LIFE),
      spki: spkiOf(key),
      isCa: wanted.isCa ?? false,
      keyUsage: wanted.keyUsage,
      authorityKey: issuer?.certificate.subjectKeyId,
      signature: 'rsa-sha256',
    },
    bytes => sign('sha256', bytes, issuer?.key ?? key),
  )
  return { key, certificate: decodeCertificate(der) }
}

/** 16 random octets that read as a positive number of full length. */
export function newSerial(random: (size: number) => Buffer): Buffer {
  const serial = random(16)
  serial[0] = (serial[0]! & 0x3f) | 0x40
  return serial
}

export const spkiOf = (key: KeyObject): Buffer => createPublicKey(key).export({ format: 'der', type: 'spki' })
export const keyPem = (key: KeyObject): string => key.export({ format: 'pem', type: 'pkcs8' }).toString()

function write(dir: string, name: string, data: string | Buffer) {
  try {
    writeFileSync(join(dir, name), data, { mode: SECRET, flag: 'wx' })
  } catch (cause) {
    throw new BulkheadError('CONFLICT', `${name} cannot be made in the vault's key folder.`, {
      remedy: 'Keys are made once, into an empty folder.',
      cause,
    })
  }
}

/** Loads what `generateVaultKeys` made. Throws NOT_INITIALISED, naming the file. */
export function loadVaultKeys(dir: string): VaultKeys {
  const identity = (name: string): Identity => ({
    key: read(dir, `${name}.key`, createPrivateKey),
    certificate: read(dir, `${name}.crt`, pem => decodeCertificate(fromPem('CERTIFICATE', pem.toString()))),
  })
  return {
    ca: identity('ca'),
    ra: identity('ra'),
    profile: identity('profile'),
    voucher: read(dir, 'voucher.key', createPrivateKey),
    seal: read(dir, 'seal.key', createPrivateKey),
    pathToken: read(dir, 'path-token.key', secret),
    challenge: read(dir, 'challenge.key', secret),
  }
}

function secret(bytes: Buffer): Buffer {
  if (bytes.length !== 32) throw new BulkheadError('MALFORMED', 'A secret of another length than 32.')
  return bytes
}

function read<T>(dir: string, name: string, open: (bytes: Buffer) => T): T {
  try {
    return open(readFileSync(join(dir, name)))
  } catch (cause) {
    throw new BulkheadError('NOT_INITIALISED', `The vault's ${name} cannot be read.`, {
      remedy: 'Put the vault keys back from their backup.',
      cause,
    })
  }
}
