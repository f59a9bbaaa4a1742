import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BulkheadError, type ErrorCode } from '../../base/errors.ts'
import { decodePlist, encodeBinaryPlist, type PlistDict, type PlistLimits, type PlistValue } from './plist.ts'

const HEAD = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
`

/** A document around the given elements. */
export function xml(body: string): Uint8Array {
  return new TextEncoder().encode(`${HEAD}<plist version="1.0">${body}</plist>\n`)
}

/** A dictionary as the decoders make them. */
export function dict(entries: Iterable<readonly [string, PlistValue]>): PlistDict {
  const made: PlistDict = Object.create(null)
  for (const [key, value] of entries) made[key] = value
  return made
}

/** Asserts that the bytes are refused with one of the two codes. */
export function refused(bytes: Uint8Array, code: ErrorCode, limits: PlistLimits = {}): void {
  assert.throws(
    () => decodePlist(bytes, limits),
    (error: unknown) => error instanceof BulkheadError && error.code === code,
  )
}

/** A binary document from the bytes of its objects; object 0 is the root, references and offsets take one byte. */
export function binary(objects: readonly (readonly number[])[], change: (trailer: Buffer) => void = () => {}): Buffer {
  const offsets: number[] = []
  let at = 8
  for (const object of objects) {
    offsets.push(at)
    at += object.length
  }
  const trailer = Buffer.alloc(32)
  trailer.set([1, 1], 6)
  trailer.writeBigUInt64BE(BigInt(objects.length), 8)
  trailer.writeBigUInt64BE(BigInt(at), 24)
  change(trailer)
  return Buffer.concat([
    Buffer.from('bplist00'),
    ...objects.map(object => Buffer.from(object)),
    Buffer.from(offsets),
    trailer,
  ])
}

/** Valid documents that between them use everything the decoders know. */
export const SAMPLES: readonly Uint8Array[] = [
  xml(`
<dict>
	<key>MessageType</key><string>Token &amp; Update &#x1F600; &#13;</string>
	<key>Token</key>
	<data>
	q83vASNFZ4mrze8BI0VniavN7wEjRWeJ
	q83vASNFZ4k=
	</data>
	<!-- a comment -->
	<key>List</key><array><integer>-1</integer><integer>18446744073709551615</integer><real>-1.5e3</real><true/><false/></array>
	<key>When</key><date>2026-01-30T09:00:00Z</date>
	<key>Née</key><string><![CDATA[<raw> & text]]> and <!-- note -->more</string>
	<key>Deep</key><array><array><dict><key>x</key><array/><key>y</key><dict/></dict></array></array>
</dict>`),
  encodeBinaryPlist({
    MessageType: 'TokenUpdate',
    Née: 'déjà vu',
    Token: new Uint8Array(40).fill(7),
    List: [-1, 300, 70_000, 2 ** 40, 2n ** 64n - 1n, 1.5, true, false],
    When: new Date('2026-01-30T09:00:00.250Z'),
    Deep: [[{ x: [], y: {} }], 'TokenUpdate', 'TokenUpdate'],
  }),
]

test('every sample is accepted', () => {
  for (const sample of SAMPLES) assert.equal(typeof decodePlist(sample), 'object')
})
