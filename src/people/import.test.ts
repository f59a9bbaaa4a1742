import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { crc32, deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { concat, fromBase64, utf8 } from './bytes.ts'
import { parseCsv } from './csv.ts'
import type { Encoding } from './decode.ts'
import { type ImportOptions, readPeople } from './import.ts'
import { decodePerson, encodePerson } from './person.ts'
import { normalisePhone } from './phone.ts'
import { readXlsx } from './xlsx.ts'

const HEAD = 'givenName,familyName,email,mobile,office,language\n'
const read = (text: string | Uint8Array, options?: ImportOptions) =>
  readPeople(typeof text === 'string' ? utf8(text) : text, options)
const errorsOf = async (text: string, options?: ImportOptions) =>
  (await read(text, options)).errors.map(({ line, column, message }) => `${line} ${column ?? ''} ${message}`)

test('columns are found by their header, in any order; office and language may be missing', async () => {
  const { people, mapping, encoding, errors } = await read(
    'E-mail;Department;Last name;mobile phone;Given Name\r\nada@x.eu;Engines;Lovelace;+32470123456;Ada\r\n',
  )
  assert.deepEqual(errors, [])
  assert.deepEqual(
    mapping.map(({ header, column }) => [header, column]),
    [
      ['E-mail', 'email'],
      ['Department', null],
      ['Last name', 'familyName'],
      ['mobile phone', 'mobile'],
      ['Given Name', 'givenName'],
    ],
  )
  assert.equal(encoding, 'utf-8')
  const rest = { office: '', language: '', fields: {} }
  const ada = { givenName: 'Ada', familyName: 'Lovelace', email: 'ada@x.eu', mobile: '+32470123456', ...rest }
  assert.deepEqual(people, [ada])
})

test('headers in another language are mapped by whoever imports', async () => {
  const columns = { givenName: 'Vorname', familyName: 'Nachname', mobile: 'Handy' }
  const { people } = await read('Nachname\tVorname\tHandy\temail\nMüller\tZoë\t0470 12 34 56\t\n', {
    columns,
    country: '49',
  })
  assert.deepEqual([people[0]!.familyName, people[0]!.givenName, people[0]!.mobile], ['Müller', 'Zoë', '+49470123456'])
})

test('a column that is missing, stands twice or was named and is not there stops the import', async () => {
  await assert.rejects(read('givenName,familyName,email\nA,B,c@d.eu\n'), {
    code: 'BAD_REQUEST',
    message: /column mobile/,
  })
  await assert.rejects(read(`${HEAD.trim()},Phone\nA,B,,,,,\n`), {
    code: 'BAD_REQUEST',
    message: /Two columns are mobile/,
  })
  await assert.rejects(read(HEAD, { columns: { office: 'Büro' } }), { code: 'BAD_REQUEST', message: /column Büro/ })
  for (const nothing of ['', '\ufeff', '\n\n']) await assert.rejects(read(nothing), { code: 'MALFORMED' })
})

test('every error is told with its line, and nothing is imported by half', async () => {
  const text = `${HEAD}Ada,Lovelace,ada@x.eu,+32470123456,,en
"Grace
M.",Hopper,no address,12,,xx-invalid-tag-that-is-long
,,who@x.eu,,,
Ada,L,ADA@X.eu,,,
Eve,N,,,,,more
Bob\u0000,Null,,call me,,
#N/A,Nobody,,,,
`
  const { people, errors } = await read(text)
  assert.deepEqual(people, [])
  assert.deepEqual(
    errors.map(({ line, column }) => [line, column]),
    [
      [3, 'email'],
      [3, 'mobile'],
      [3, 'language'],
      [5, 'familyName'],
      [6, undefined],
      [7, undefined],
      [8, 'givenName'],
      [8, 'mobile'],
      [9, 'givenName'],
    ],
  )
  assert.match(errors[4]!.message, /line 2/)
  const many = await read(HEAD + ',,,,,\nX,,bad,,,\n'.repeat(300))
  assert.equal(many.errors.length, 100)
  assert.equal(many.moreErrors, 200)
})

test('what looks like a formula is text, and a number’s + is its own', async () => {
  const { people, errors } = await read(
    `${HEAD}=1+1,"=HYPERLINK(""http://x"",""y"")",a@x.eu,'+32 470 12 34 56,@SUM(A1),\n-Ann,+Plus,b@x.eu,"=""0470123456""",,\n'=x,O'Hara,c@x.eu,+32 (0)470/12.34.58,,\n`,
    { country: '32' },
  )
  assert.deepEqual(errors, [])
  assert.deepEqual(
    people.map(({ givenName, familyName, mobile }) => [givenName, familyName, mobile]),
    [
      ['=1+1', '=HYPERLINK("http://x","y")', '+32470123456'],
      ['-Ann', '+Plus', '+32470123456'],
      ['=x', "O'Hara", '+32470123458'],
    ],
  )
})

test('one person twice is told, by address or by name and number', async () => {
  assert.deepEqual(await errorsOf(`${HEAD}A,B,a@x.eu,,,\nC,D,A@X.EU,,,\n`), ['3  The same person as in line 2.'])
  assert.deepEqual(await errorsOf(`${HEAD}Zoe\u0308,B,,+32470123456,,\nZoë,b,,0032 470 123456,,\n`), [
    '3  The same person as in line 2.',
  ])
  assert.deepEqual(await errorsOf(`${HEAD}A,B,,+32470123456,,\nA,B,,+32470123457,,\n`), [])
})

test('names of every script, direction and form are kept, in one spelling', async () => {
  const names = [
    'Søren',
    'Владимир',
    'שָׂרָה',
    'سلمى',
    '小明',
    'ひろし',
    '김철수',
    'அனிதா',
    'ᏣᎳᎩ',
    '𞤀𞤣𞤤𞤢𞤥',
    'नीलिमा',
    "D'Arcy",
    '👩🏽‍🚀',
  ]
  const { people, errors } = await read(HEAD + names.map((name, at) => `${name},X${at},,,,\n`).join(''))
  assert.deepEqual(errors, [])
  assert.deepEqual(
    people.map(({ givenName }) => givenName),
    names.map(name => name.normalize('NFC')),
  )
  for (const person of people) assert.deepEqual(decodePerson(encodePerson(person)), person)
  const [combining, turned] = (await read(`${HEAD}Zoe\u0308, A   B\u00a0 C ,,,,\n\u202eecilA\u2066,x,,,,\n`)).people
  assert.deepEqual([combining!.givenName, combining!.familyName], ['Zoë', 'A B C'])
  assert.equal(turned!.givenName, 'ecilA')
})

test('300 characters are a name, whatever each of them takes, and 301 are none', async () => {
  for (const letter of ['a', 'é', '王', '𞤀']) {
    const { people } = await read(`${HEAD}${letter.repeat(300)},x,,,,\n`)
    assert.deepEqual(decodePerson(encodePerson(people[0]!)), people[0])
    assert.deepEqual(await errorsOf(`${HEAD}${letter.repeat(301)},x,,,,\n`), [
      '2 givenName It is longer than 300 characters.',
    ])
  }
})

test('a cell of 10 MB, an open quotation mark and too many columns are told with their line', async () => {
  const huge = 'x'.repeat(10_000_000)
  for (const cell of [huge, `"${huge}"`, `"${'""'.repeat(5_000_000)}"`])
    await assert.rejects(read(`${HEAD}A,B,,,,\nC,${cell},,,,\n`), { code: 'LIMIT', message: /^Line 3: / })
  await assert.rejects(read(`${HEAD}A,"B,,,,\n`), { code: 'MALFORMED', message: /^Line 2: .*never closed/ })
  await assert.rejects(read(`${HEAD}A,"B"x,,,,\n`), { code: 'MALFORMED', message: /^Line 2: / })
  await assert.rejects(read(`${HEAD}${'A,'.repeat(300)}\n`), { code: 'LIMIT', message: /^Line 2: .*columns/ })
  await assert.rejects(read(new Uint8Array(65 * 1024 * 1024)), { code: 'LIMIT' })
})

test('50,000 people are read, and one more is refused', async () => {
  const line = (at: number) => `Given${at},Family${at},p${at}@x.eu,+3247${String(at).padStart(7, '0')},B,en\n`
  const lines = Array.from({ length: 50_000 }, (_, at) => line(at)).join('')
  assert.equal((await read(HEAD + lines)).people.length, 50_000)
  await assert.rejects(read(HEAD + lines + line(50_000)), { code: 'LIMIT' })
})

const text = `${HEAD}Zoë,Müller,z@x.eu,,,\n`
const utf16 = (mark: boolean, big: boolean) => {
  const bytes = Buffer.from((mark ? '\ufeff' : '') + text, 'utf16le')
  return big ? bytes.swap16() : bytes
}
test('UTF-8 with a mark and UTF-16 are read as what they are', async () => {
  const files: [Uint8Array, Encoding][] = [
    [utf8(`\ufeff${text}`), 'utf-8'],
    [utf16(true, false), 'utf-16le'],
    [utf16(true, true), 'utf-16be'],
    [utf16(false, false), 'utf-16le'],
    [utf16(false, true), 'utf-16be'],
  ]
  for (const [bytes, expected] of files) {
    const { people, encoding } = await read(bytes)
    assert.deepEqual([people[0]!.givenName, people[0]!.familyName, encoding], ['Zoë', 'Müller', expected])
  }
})

test('another encoding is never guessed: it is asked for, or read as it is said', async () => {
  const latin = Buffer.from(text, 'latin1')
  await assert.rejects(read(latin), { code: 'MALFORMED', message: /not UTF-8 \(line 2\); it may be windows-1252/ })
  assert.equal((await read(latin, { encoding: 'windows-1252' })).people[0]!.familyName, 'Müller')
  const cyrillic = concat(HEAD, Uint8Array.of(0xc8, 0xe2, 0xe0, 0xed), ',x,,,,\n')
  assert.equal((await read(cyrillic, { encoding: 'windows-1251' })).people[0]!.givenName, 'Иван')
  await assert.rejects(read(concat(HEAD, Uint8Array.of(0x81), ',x,,,,\n')), { message: /another encoding/ })
  const mixed = concat(text, latin.subarray(HEAD.length))
  await assert.rejects(read(mixed), { code: 'MALFORMED', message: /mixes encodings: .* line 3/ })
  await assert.rejects(read(concat(text, '\ud800').subarray(0, -1)), { code: 'MALFORMED' })
  await assert.rejects(read(utf16(true, false).subarray(0, 61)), { code: 'MALFORMED', message: /utf-16le/ })
  assert.deepEqual(await errorsOf(`${HEAD}Zo\ufffd,x,,,,\n`), [
    '2 givenName A character of it was lost in another encoding.',
  ])
})

test('numbers are the same in national and international form', () => {
  const same: [string, string | undefined, string | undefined][] = [
    ['+32 470 12 34 56', undefined, '+32470123456'],
    ['0032 (0)470-12.34/56', undefined, '+32470123456'],
    ['tel:+32-470-123-456', '33', '+32470123456'],
    ['0470 12 34 56', '32', '+32470123456'],
    ['0470 12 34 56', undefined, '0470123456'],
    ['470123456', '32', '+32470123456'],
    ['32470123456', '32', '+32470123456'],
    ['06 123 456 78', '39', '+390612345678'],
    ['(202) 555-0143', '1', '+12025550143'],
    ['＋３２ ４７０ １２３４５６', undefined, '+32470123456'],
    ['٠٤٧٠١٢٣٤٥٦', '32', '+32470123456'],
    ['०४७० १२ ३४ ५६', '32', '+32470123456'],
    ['\u202a+32 470 123456\u202c', undefined, '+32470123456'],
    ['112', undefined, '112'],
    ['12', undefined, undefined],
    ['1'.repeat(16), undefined, undefined],
    ['4.7E+08', '32', undefined],
    ['0470 12 34 ab', '32', undefined],
    ['+', undefined, undefined],
    ['', undefined, undefined],
  ]
  for (const [typed, country, expected] of same) assert.equal(normalisePhone(typed, country), expected, typed)
})

test('whatever cells hold, they come back as they were written', () =>
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.string({ unit: 'binary', maxLength: 20 }), { minLength: 2, maxLength: 4 }), {
        maxLength: 6,
      }),
      table => {
        const written = table.map(row => row.map(cell => `"${cell.replaceAll('"', '""')}"`).join(',')).join('\r\n')
        const rows = table.filter(row => row.some(cell => cell.trim() !== ''))
        assert.deepEqual(
          parseCsv(written).map(({ cells }) => cells),
          rows,
        )
      },
    ),
  ))

const samples: Record<string, string> = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../test/vectors/people-xlsx.json'), 'utf8'),
)
for (const writer of ['openpyxl', 'xlsxwriter'])
  test(`a sheet written by ${writer} is read: text, numbers, every script, and a formula only for what it came to`, async () => {
    const rows = await readXlsx(fromBase64(samples[writer]!))
    assert.deepEqual(
      rows.map(({ line, cells }) => [line, ...[0, 1, 2, 3, 4].map(at => cells[at] ?? '')]),
      [
        [1, 'familyName', 'givenName', 'email', 'mobile', 'office'],
        [2, 'Lovelace', 'Ada', 'ada@example.org', '+32 470 12 34 56', 'B-1049 & <2>'],
        [3, 'Müller', 'Zoë', 'zoe@example.org', '0470 12 34 57', ''],
        [4, '王', '小明', 'xm@example.org', '32470123458', ''],
        [5, 'عبد الله', 'سلمى', 'salma@example.org', '=1+1', ''],
      ],
    )
    const { errors, encoding, people } = await read(fromBase64(samples[writer]!), { country: '32' })
    assert.deepEqual(
      [encoding, people, errors.map(({ line, column }) => `${line} ${column}`)],
      ['xlsx', [], ['5 mobile']],
    )
  })

/** A ZIP archive of these parts; `says` is the size that its directory gives instead of the true one. */
function zip(parts: Record<string, string>, says?: number): Uint8Array {
  const [locals, entries]: [Buffer[], Buffer[]] = [[], []]
  let at = 0
  for (const [path, content] of Object.entries(parts)) {
    const [name, data] = [Buffer.from(path), deflateRawSync(content)]
    const head = Buffer.alloc(30)
    head.writeUInt32LE(0x04034b50)
    head.writeUInt16LE(8, 8)
    head.writeUInt16LE(name.length, 26)
    const entry = Buffer.alloc(46)
    entry.writeUInt32LE(0x02014b50)
    entry.writeUInt16LE(8, 10)
    entry.writeUInt32LE(crc32(content), 16)
    entry.writeUInt32LE(data.length, 20)
    entry.writeUInt32LE(says ?? Buffer.byteLength(content), 24)
    entry.writeUInt16LE(name.length, 28)
    entry.writeUInt32LE(at, 42)
    locals.push(head, name, data)
    entries.push(entry, name)
    at += head.length + name.length + data.length
  }
  const directory = Buffer.concat(entries)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50)
  end.writeUInt16LE(Object.keys(parts).length, 10)
  end.writeUInt32LE(directory.length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...locals, directory, end])
}
const SHEET = 'xl/worksheets/sheet1.xml'
const cell = (value: string) => `<c t="inlineStr"><is><t>${value}</t></is></c>`
const row = (...values: string[]) => `<row>${values.map(cell).join('')}</row>`
const sheet = (...rows: string[]) => `<worksheet><sheetData>${rows.join('')}</sheetData></worksheet>`
const head = row('givenName', 'familyName', 'email', 'mobile')

test('a sheet is read by rows and places, with its entities, and says its row where it errs', async () => {
  const rows = [head, row('A &amp; B', 'C&#xe9;', 'a@x.eu', '+32470123456')]
  const { people, mapping } = await read(zip({ [SHEET]: sheet(...rows) }))
  assert.equal(people[0]!.givenName, 'A & B')
  assert.equal(people[0]!.familyName, 'Cé')
  assert.equal(mapping.length, 4)
  const sparse = `<row r="7"><c r="A7" t="str"><f>X</f><v>Ada</v></c><c r="C7" t="inlineStr"><is><t>bad</t></is></c></row>`
  assert.deepEqual(
    (await read(zip({ [SHEET]: sheet(head, sparse) }))).errors.map(({ line }) => line),
    [7],
  )
})

test('a bomb in a sheet is stopped before it is unpacked', async () => {
  const zeroes = ' '.repeat(40 * 1024 * 1024)
  await assert.rejects(read(zip({ [SHEET]: zeroes }, 300 * 1024 * 1024)), { code: 'LIMIT', message: /far too much/ })
  await assert.rejects(read(zip({ [SHEET]: zeroes }, 1000)), { code: 'LIMIT', message: /more than it says/ })
  const wide = `<row><c r="XFD1" t="n"><v>1</v></c></row>`
  await assert.rejects(read(zip({ [SHEET]: sheet(wide) })), { code: 'LIMIT' })
  await assert.rejects(read(zip({ [SHEET]: sheet(row('x'.repeat(10_000_000))) })), { code: 'LIMIT', message: /^Row 1/ })
})

test('entities, document types and broken archives are refused with a sentence', async () => {
  const good = zip({ [SHEET]: sheet(head) })
  await assert.rejects(read(zip({ [SHEET]: `<!DOCTYPE x [<!ENTITY a "b">]>${sheet(head)}` })), { code: 'MALFORMED' })
  await assert.rejects(read(zip({ 'other.xml': 'x' })), { code: 'MALFORMED', message: /no sheet/ })
  await assert.rejects(read(zip({ [SHEET]: sheet('<row><c t="s"><v>9</v></c></row>') })), { code: 'MALFORMED' })
  for (let end = 4; end < good.length; end += 7)
    await assert.rejects(read(good.subarray(0, end)), { name: 'BulkheadError' })
  await fc.assert(
    fc.asyncProperty(fc.nat(good.length - 5), fc.nat(255), async (at, byte) => {
      const changed = Buffer.from(good)
      changed[at + 4] = byte
      await read(changed).catch((error: Error) => assert.equal(error.name, 'BulkheadError'))
    }),
  )
})
