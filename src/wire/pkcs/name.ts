import { BulkheadError } from '../../base/errors.ts'
import { Fields } from '../der/fields.ts'
import { OID } from '../der/oids.ts'
import { type Element, readDer } from '../der/read.ts'
import { oidOf, TAG, textOf } from '../der/values.ts'
import { oid, printable, sequence, set, utf8 } from '../der/write.ts'

/** The parts of a distinguished name that we write; they are written in the order in which they are given. */
export interface NameParts {
  readonly C?: string
  readonly O?: string
  readonly OU?: string
  readonly CN?: string
  readonly UID?: string
}

const identifiers = {
  C: OID.countryName,
  O: OID.organizationName,
  OU: OID.organizationalUnitName,
  CN: OID.commonName,
  UID: OID.userId,
} as const

/** The DER of a Name (RFC 5280, 4.1.2.4). */
export function encodeName(parts: NameParts): Buffer {
  const keys = Object.keys(parts) as (keyof NameParts)[]
  return sequence(...keys.filter(key => parts[key] !== undefined).map(key => relativeName(key, parts[key]!)))
}

function relativeName(key: keyof NameParts, value: string): Buffer {
  if (!Object.hasOwn(identifiers, key)) throw new BulkheadError('BAD_REQUEST', `A name has no part ${key}.`)
  return set([sequence(oid(identifiers[key]), key === 'C' ? printable(value) : utf8(value))])
}

/** Every part of a Name in its order, by object identifier. Throws MALFORMED. */
export function decodeName(name: Buffer): { identifier: string; value: string }[] {
  return nameParts(readDer(name))
}

/** As `decodeName`, from what is already read. */
export function nameParts(name: Element): { identifier: string; value: string }[] {
  if (name.tag !== TAG.sequence) new Fields(name, TAG.sequence, 'name')
  return name.children.flatMap(relative => {
    if (relative.tag !== TAG.set) new Fields(relative, TAG.set, 'name')
    return relative.children.map(part)
  })
}

function part(element: Element): { identifier: string; value: string } {
  const fields = new Fields(element, TAG.sequence, 'name')
  const identifier = oidOf(fields.next(TAG.oid))
  const value = fields.any()
  fields.end()
  return { identifier, value: readable(value) }
}

/** A value of another type than text is legal in a name, and of no interest to us. */
function readable(value: Element): string {
  const isText = [TAG.utf8, TAG.printable, TAG.ia5, TAG.teletex, TAG.bmp, TAG.numeric, TAG.visible].some(
    tag => tag === value.tag,
  )
  return isText ? textOf(value) : ''
}
