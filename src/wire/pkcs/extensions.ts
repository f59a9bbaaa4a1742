// The certificate extensions that we understand, in both directions (RFC 5280, 4.2).
import { BulkheadError } from '../../base/errors.ts'
import { Fields } from '../der/fields.ts'
import { OID } from '../der/oids.ts'
import { type Element, malformed, readDer } from '../der/read.ts'
import { booleanOf, octetsOf, oidOf, TAG } from '../der/values.ts'
import { bits, boolean, context, contextPrimitive, octets, oid, sequence } from '../der/write.ts'

const usages = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
] as const
const purposes = ['serverAuth', 'clientAuth', 'codeSigning', 'emailProtection'] as const

export type KeyUsage = (typeof usages)[number]
export type Purpose = (typeof purposes)[number]

/** `ip` holds 4 or 16 raw octets each. */
export interface AltNames {
  readonly dns?: readonly string[]
  readonly uri?: readonly string[]
  readonly email?: readonly string[]
  readonly ip?: readonly Uint8Array[]
}

export interface Extension {
  readonly critical: boolean
  /** The DER inside the extension's OCTET STRING. */
  readonly value: Buffer
}

/** What a certificate's extensions say; `all` has every one by object identifier. */
export interface Extensions {
  readonly all: ReadonlyMap<string, Extension>
  readonly isCa: boolean
  /** Undefined where the certificate does not restrict the key's use. */
  readonly keyUsage: ReadonlySet<KeyUsage> | undefined
  /** Names where we have one, object identifiers otherwise. Undefined: any purpose. */
  readonly extendedKeyUsage: readonly string[] | undefined
  readonly subjectAltNames: Required<AltNames>
  readonly subjectKeyId: Buffer | undefined
  readonly authorityKeyId: Buffer | undefined
}

/** From the `[3]` element of a certificate, or from nothing. Throws MALFORMED. */
export function decodeExtensions(explicit: Element | undefined): Extensions {
  const all = new Map<string, Extension>()
  for (const child of explicit ? listIn(explicit) : []) {
    const [identifier, extension] = decodeExtension(child)
    if (all.has(identifier)) throw malformed('certificate: an extension twice.')
    all.set(identifier, extension)
  }
  const inside = (identifier: string) => {
    const found = all.get(identifier)
    return found && readDer(found.value)
  }
  const keyId = inside(OID.subjectKeyIdentifier)
  const purposeList = inside(OID.extendedKeyUsage)
  return {
    all,
    isCa: decodeConstraints(inside(OID.basicConstraints)),
    keyUsage: decodeUsage(inside(OID.keyUsage)),
    extendedKeyUsage: purposeList?.children.map(child => purposeName(oidOf(child))),
    subjectAltNames: decodeAltNames(inside(OID.subjectAltName)),
    subjectKeyId: keyId && octetsOf(keyId),
    authorityKeyId: inside(OID.authorityKeyIdentifier)?.children.find(child => child.tag === 0x80)?.body,
  }
}

function listIn(explicit: Element): readonly Element[] {
  const fields = new Fields(explicit, 0xa3, 'certificate')
  const list = fields.next(TAG.sequence)
  fields.end()
  return list.children
}

function decodeExtension(child: Element): [string, Extension] {
  const fields = new Fields(child, TAG.sequence, 'extension')
  const identifier = oidOf(fields.next(TAG.oid))
  const flag = fields.optional(TAG.boolean)
  const value = octetsOf(fields.next(TAG.octets))
  fields.end()
  return [identifier, { critical: flag !== undefined && booleanOf(flag), value }]
}

function decodeConstraints(constraints: Element | undefined): boolean {
  const flag = constraints && new Fields(constraints, TAG.sequence, 'basic constraints').optional(TAG.boolean)
  return flag !== undefined && booleanOf(flag)
}

function decodeUsage(usage: Element | undefined): ReadonlySet<KeyUsage> | undefined {
  if (usage === undefined) return undefined
  if (usage.tag !== TAG.bits || usage.body.length < 1) throw malformed('key usage: not a bit string.')
  const octet = usage.body[1] ?? 0
  return new Set(usages.filter((_, bit) => octet & (0x80 >> bit)))
}

function purposeName(identifier: string): string {
  return purposes.find(purpose => OID[purpose] === identifier) ?? identifier
}

function decodeAltNames(names: Element | undefined): Required<AltNames> {
  const tagged = (tag: number) => (names?.children ?? []).filter(name => name.tag === tag).map(name => name.body)
  const texts = (tag: number) => tagged(tag).map(body => body.toString('latin1'))
  return { email: texts(0x81), dns: texts(0x82), uri: texts(0x86), ip: tagged(0x87) }
}

function extension(identifier: string, critical: boolean, value: Buffer): Buffer {
  return critical ? sequence(oid(identifier), boolean(true), octets(value)) : sequence(oid(identifier), octets(value))
}

/** Constraints, usage and purposes of a certificate: critical where RFC 5280 wants it. */
export function encodeConstraints(isCa: boolean): Buffer {
  return extension(OID.basicConstraints, true, isCa ? sequence(boolean(true)) : sequence())
}

export function encodeUsage(keyUsage: readonly KeyUsage[]): Buffer {
  const octet = keyUsage.reduce((sum, usage) => sum | (0x80 >> usages.indexOf(usage)), 0)
  if (octet === 0) throw new BulkheadError('BAD_REQUEST', 'A key usage without uses.')
  return extension(OID.keyUsage, true, bits(Buffer.from([octet]), 31 - Math.clz32(octet & -octet)))
}

export function encodePurposes(list: readonly Purpose[]): Buffer {
  return extension(OID.extendedKeyUsage, false, sequence(...list.map(purpose => oid(OID[purpose]))))
}

export function encodeAltNames(names: AltNames): Buffer {
  const texts = (number: number, list: readonly string[] = []) =>
    list.map(text => contextPrimitive(number, Buffer.from(text, 'latin1')))
  const addresses = (names.ip ?? []).map(address => contextPrimitive(7, address))
  const all = [...texts(1, names.email), ...texts(2, names.dns), ...texts(6, names.uri), ...addresses]
  return extension(OID.subjectAltName, false, sequence(...all))
}

export function encodeKeyIds(subjectKeyId: Uint8Array, authorityKeyId: Uint8Array | undefined): Buffer[] {
  const own = extension(OID.subjectKeyIdentifier, false, octets(subjectKeyId))
  if (authorityKeyId === undefined) return [own]
  const authority = sequence(contextPrimitive(0, authorityKeyId))
  return [own, extension(OID.authorityKeyIdentifier, false, authority)]
}

/** The `[3]` element of a certificate. */
export function encodeExtensions(list: readonly Buffer[]): Buffer {
  return context(3, sequence(...list))
}
