import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { type Person, requirePerson } from './person.ts'
import { normalisePhone } from './phone.ts'
import { fold } from './terms.ts'
import { MOST_TOKENS, matches, openIndex } from './tokens.ts'

const genesis = new Uint8Array(32).fill(1)
const key = new Uint8Array(32).fill(2)
const unit = '00000000-0000-4000-8000-000000000001'
const index = openIndex(key, unit, genesis)
const person = (given: string, family: string, email = '', mobile = ''): Person =>
  requirePerson({ givenName: given, familyName: family, email, mobile }, { country: '32' })
/** As the server looks: all tokens of one of the lists. */
const isFound = (who: Person, text: string, by = index) => {
  const stored = new Set(by.tokensOf(who))
  return by.queryTokens(text).some(list => list.length > 0 && list.every(token => stored.has(token)))
}
const shows = (who: Person, text: string) => isFound(who, text) && matches(who, text)

const ada = person('Ada', 'Lovelace', 'ada.king@Example.org', '0470 12 34 56')

test('a person is found by names, prefixes, e-mail and number, however they are typed', () => {
  const texts = ['Ada', 'lov', 'LOVELA', 'lovelace', 'ada lovelace', 'Lovelace, Ada', 'lovelace ada']
  texts.push('ada.king', 'ada.king@', 'ada.king@exam', 'ADA.KING@example.org', 'king')
  texts.push(
    '0470',
    '0470/12.34',
    '+32 470',
    '0032470123456',
    '32470',
    '470123',
    '3456',
    '123456',
    '+32470123456',
    '٠٤٧٠',
  )
  for (const text of texts) assert.ok(shows(ada, text), text)
  for (const text of [
    'lo',
    'ad',
    'bob',
    'lovelady',
    'ada byron',
    'ada.king@other',
    '0471',
    '+33470',
    '9999',
    '@',
    '',
    ' ',
    '12',
  ])
    assert.ok(!shows(ada, text), text)
})

test('marks, case, apostrophes and letters of other keyboards make no difference', () => {
  const pairs: [string, string][] = [
    ['Søren Ångström', 'soren angstrom'],
    ['Łukasz Dvořák', 'lukasz dvor'],
    ['Straßer', 'STRASSER'],
    ["O'Brien", 'obrien'],
    ['O’Brien', "o'bri"],
    ['İpek Yıldız', 'ipek yildiz'],
    ['Ὀδυσσεύς', 'οδυσσευς'],
    ['Jean-Pierre', 'jean pier'],
    ['ｆｕｌｌ', 'full'],
    ['Nguyễn', 'nguye\u0302\u0303n'],
    ['محمّد', 'محمد'],
    ['עֵדָה', 'עדה'],
    ['Владимир', 'влад'],
    ['김철수', '김철'],
    ['அனிதா', 'அனித'],
  ]
  for (const [name, text] of pairs) assert.ok(shows(person('', name), text), name)
  assert.equal(fold('e\u0301'), fold('\u00e9'))
})

test('names that are written without a space are found whole, by family and by given name', () => {
  for (const text of ['王小明', '王', '小明', '小明 王']) assert.ok(shows(person('小明', '王'), text), text)
})

test('whoever fits has the tokens: no name, address or number is lost between client and server', () => {
  const word = fc.oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
    fc.constantFrom('ada', 'Łódź', 'van der', 'de', '李', 'O’Neil', 'Müller'),
  )
  const somebody = fc.record({ givenName: word, familyName: word, local: fc.stringMatching(/^[a-z][a-z.]{0,9}$/) })
  const digits = fc.stringMatching(/^(\+32|0)[1-9]\d{7}$/)
  fc.assert(
    fc.property(somebody, digits, word, (names, mobile, other) => {
      const who = { ...ada, ...names, email: `${names.local}@x.eu`, mobile: normalisePhone(mobile)! }
      const parts = [
        names.givenName,
        names.familyName,
        `${names.givenName} ${names.familyName}`,
        names.local,
        mobile,
        other,
      ]
      const texts = parts.flatMap(part => [part, part.slice(0, 3), part.slice(0, 5), part.slice(-4)])
      for (const text of texts) if (matches(who, text)) assert.ok(isFound(who, text), text)
    }),
    { numRuns: 300 },
  )
})

test('another unit, key, installation or field gives other tokens', () => {
  const tokens = index.tokensOf(ada)
  const others = [
    openIndex(new Uint8Array(32).fill(3), unit, genesis),
    openIndex(key, unit.replace('1', '2'), genesis),
    openIndex(key, unit, new Uint8Array(32).fill(9)),
  ]
  for (const other of others) {
    const shared = other.tokensOf(ada).filter(token => tokens.includes(token))
    assert.ok(shared.length <= 3, `${shared.length} of ${tokens.length}`)
  }
  assert.deepEqual([...new Set(tokens.map(token => token >> 12))], [1, 2, 3])
})

test('a token means many things: 5,000 names share the 4,096 that there are', () => {
  const tokens = new Set(
    Array.from({ length: 5000 }, (_, at) => index.queryTokens(`x${at.toString(36).padStart(5, 'y')}`)[0]!.at(-1)),
  )
  assert.ok(tokens.size < 4096)
})

test('nobody has more tokens than a row may hold, however long their name', () => {
  const long = Array.from({ length: 300 }, (_, at) => (at % 4 === 3 ? ' ' : String.fromCodePoint(97 + (at % 26)))).join(
    '',
  )
  const tokens = index.tokensOf({
    ...ada,
    givenName: long,
    familyName: long,
    email: `${long.replaceAll(' ', '.')}@x.eu`,
  })
  assert.ok(tokens.length <= MOST_TOKENS)
  assert.deepEqual(
    tokens,
    [...new Set(tokens)].sort((one, other) => one - other),
  )
  for (const token of tokens) assert.equal(token | 0, token)
})
