import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { deflateSync, gzipSync } from 'node:zlib'
import { lootSearch } from './loot.ts'

// A search that finds nothing must be one that would have found it.

const canary = { what: 'owner', text: 'Zofinë Baradume' }
const phone = { what: 'phone', text: '+32 471 55 12 34' }
const noise = () => randomBytes(300)
const among = (bytes: Uint8Array | string) => Buffer.concat([noise(), Buffer.from(bytes as string), noise()])
const utf8 = Buffer.from(canary.text)

const forms: Record<string, Buffer> = {
  'as it is': among(canary.text),
  'in lower case': among(canary.text.toLowerCase()),
  'in UTF-16': among(Buffer.from(canary.text, 'utf16le')),
  'in big-endian UTF-16': among(Buffer.from(canary.text, 'utf16le').swap16()),
  'in hex': among(` \\x${utf8.toString('hex')} `),
  'in upper-case hex': among(` ${utf8.toString('hex').toUpperCase()} `),
  'in base64': among(` ${Buffer.concat([Buffer.from('a'), utf8]).toString('base64')} `),
  'in base64url': among(` ${utf8.toString('base64url')} `),
  'in URL encoding': among(encodeURIComponent(canary.text)),
  'all in URL encoding': among([...utf8].map(byte => `%${byte.toString(16)}`).join('')),
  'in JSON escapes': among('Zofin\\u00eb Baradume'),
  backwards: among([...canary.text].reverse().join('')),
  'in gzip': among(gzipSync(`a page of text with ${canary.text} in it`)),
  'in zlib': among(deflateSync(`a page of text with ${canary.text} in it`)),
  'in gzip in base64': among(` ${gzipSync(`some ${canary.text}`).toString('base64')} `),
}
for (const [name, bytes] of Object.entries(forms))
  test(`a canary ${name} is found`, () => {
    const loot = lootSearch([canary, phone])
    loot.search(bytes)
    assert.deepEqual(
      loot.found.map(({ what }) => what),
      ['owner'],
    )
  })

for (const [name, text] of Object.entries({
  'as it is': phone.text,
  'without its spaces': '+32471551234',
  'in other groups': '32-471.551-234',
  backwards: '43 21 55 174 23',
  'in a sentence': 'call 0032 (471) 55 12 34 now',
}))
  test(`a number ${name} is found`, () => {
    const loot = lootSearch([canary, phone])
    loot.search(Buffer.from(` ${text} `))
    assert.equal(loot.found[0]?.what, 'phone')
  })

test('a number within a longer one is found too, and one that differs is not', () => {
  const loot = lootSearch([phone])
  loot.search(Buffer.from('+32 471 55 12 35'))
  assert.deepEqual(loot.found, [])
  loot.search(Buffer.from('1632471551234'))
  assert.equal(loot.found.length, 1)
})
