import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodePlist, type PlistValue } from './plist.ts'
import { dict, refused, SAMPLES, xml } from './samples.test.ts'

function reads(body: string, expected: PlistValue): void {
  assert.deepStrictEqual(decodePlist(xml(body)), expected)
}

function document(source: string): Uint8Array {
  return new TextEncoder().encode(source)
}

function malformed(bodies: readonly string[]): void {
  for (const body of bodies) {
    try {
      refused(xml(body), 'MALFORMED')
    } catch (cause) {
      throw new Error(`not refused: ${body}`, { cause })
    }
  }
}

test('a check-in message becomes a dictionary without a prototype', () => {
  const message = decodePlist(xml('<dict>\n\t<key>MessageType</key>\n\t<string>Authenticate</string>\n</dict>\n'))
  assert.equal(Object.getPrototypeOf(message), null)
  assert.deepStrictEqual(message, dict([['MessageType', 'Authenticate']]))
})

test('integers keep all their digits', () => {
  reads('<integer>9007199254740991</integer>', Number.MAX_SAFE_INTEGER)
  reads('<integer>9007199254740992</integer>', 9007199254740992n)
  reads('<integer>-9007199254740993</integer>', -9007199254740993n)
  reads('<integer>18446744073709551615</integer>', 18446744073709551615n)
  reads('<integer>-9223372036854775808</integer>', -9223372036854775808n)
  reads('<integer>-0</integer>', 0)
  reads('<integer>+007</integer>', 7)
})

test('integers that are out of range, empty, spaced, hexadecimal or fractional are refused', () => {
  const wrong = ['18446744073709551616', '-9223372036854775809', '', ' 1', '1 ', '0x10', '1.0', '-', '1e3', '1_0', '١']
  malformed([...wrong, '9'.repeat(41)].map(digits => `<integer>${digits}</integer>`))
  malformed(['<integer/>'])
})

test('reals are finite decimal numbers', () => {
  reads('<array><real>1</real><real>-1.5E+3</real><real>.5</real><real>5.</real></array>', [1, -1500, 0.5, 5])
  const wrong = ['nan', 'inf', '-infinity', '1e999', '', ' 1', '.', '1e', '0x1', '1,5', '1'.repeat(401)]
  malformed(wrong.map(digits => `<real>${digits}</real>`))
})

test('dates are moments that exist, in UTC and to the second', () => {
  reads('<date>2026-01-30T09:00:00Z</date>', new Date('2026-01-30T09:00:00Z'))
  reads('<date>0000-02-29T23:59:59Z</date>', new Date('0000-02-29T23:59:59Z'))
  const wrong = [
    '2026-02-29T00:00:00Z',
    '2026-01-30T24:00:00Z',
    '2026-01-30T09:00:60Z',
    '2026-01-30T09:00:00',
    '2026-01-30',
  ]
  malformed(
    [...wrong, '', '2026-01-30T09:00:00z', '+002026-01-30T09:00Z', 'Fri Jan 30 2026 09Z'].map(
      text => `<date>${text}</date>`,
    ),
  )
})

test('data is base64 with white space anywhere', () => {
  reads('<data>\n\tAQI\n\tD\n</data>', new Uint8Array([1, 2, 3]))
  reads('<array><data/><data></data><data>/+8=</data></array>', [
    new Uint8Array(),
    new Uint8Array(),
    new Uint8Array([255, 239]),
  ])
  malformed(['AQI', 'AQ==AQ==', 'A===', 'AQI$', '_-8=', 'AR==', '=', '\u00a0AQID'].map(text => `<data>${text}</data>`))
})

test('text keeps its white space, and resolves entities, CDATA and comments', () => {
  reads('<string> a &lt;&gt;&amp;&apos;&quot; </string>', ` a <>&'" `)
  reads('<string>&#65;&#x42;&#x1f600;&#13;&#x9;</string>', 'AB😀\r\t')
  reads('<string>a<![CDATA[<b>&amp;]]]]><!-- not this -->c<![CDATA[]]></string>', 'a<b>&amp;]]c')
  reads('<array><string/><string></string><string>\n</string></array>', ['', '', '\n'])
})

test('line ends are read as XML says', () => {
  reads('<string>a\r\nb\rc&#13;d</string>', 'a\nb\nc\rd')
})

test('unknown entities and references to forbidden characters are refused', () => {
  const wrong = [
    '&nbsp;',
    '&;',
    '&',
    '&amp',
    '&#0;',
    '&#x0;',
    '&#8;',
    '&#xD800;',
    '&#xFFFE;',
    '&#x110000;',
    '&#-1;',
    '&#X41;',
  ]
  malformed(
    [...wrong, '&#;', '&#x;', '& amp;', '&__proto__;', '&#0000000000065;'].map(text => `<string>${text}</string>`),
  )
})

test('forbidden characters are refused wherever they stand', () => {
  for (const character of ['\0', '\u0001', '\u000b', '\u001f', '\ufffe', '\uffff']) {
    malformed([`<string>${character}</string>`, `<!--${character}--><true/>`])
  }
})

test('bytes that are not UTF-8 are refused, and a byte order mark is not', () => {
  const source = Buffer.from(xml('<string>é</string>'))
  assert.equal(decodePlist(Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), source])), 'é')
  refused(Buffer.from(source.toString('latin1').replace('\u00a9', ''), 'latin1'), 'MALFORMED')
  refused(Buffer.from(source.toString('utf8').replace('é', '\u00e9'), 'latin1'), 'MALFORMED')
  refused(Buffer.from(`\ufeff${source.toString('utf8')}`, 'utf16le'), 'MALFORMED')
  refused(Buffer.from(`\ufeff${source.toString('utf8')}`, 'utf16le').swap16(), 'MALFORMED')
})

test('keys named like parts of an object are ordinary keys', () => {
  const read = decodePlist(
    xml('<dict><key>__proto__</key><dict><key>a</key><true/></dict><key>constructor</key><false/></dict>'),
  )
  assert.deepStrictEqual(Object.keys(read), ['__proto__', 'constructor'])
  assert.equal(Object.getPrototypeOf(read), null)
})

test('dictionaries with a key twice, without a value or without a key are refused', () => {
  malformed([
    '<dict><key>a</key><true/><key>a</key><true/></dict>',
    '<dict><key>__proto__</key><true/><key>__proto__</key><true/></dict>',
    '<dict><key>a</key><true/><key>&#97;</key><true/></dict>',
    '<dict><key>a</key></dict>',
    '<dict><key>a</key><key>b</key><true/></dict>',
    '<dict><true/></dict>',
    '<dict>a</dict>',
    '<dict><dict/><true/></dict>',
  ])
})

test('elements that are wrongly nested, unknown, attributed or out of place are refused', () => {
  malformed([
    '<array><string>a</array></string>',
    '<string>a</String>',
    '<string>a</stringy>',
    '<string><true/></string>',
    '<array>text</array>',
    '<array><![CDATA[ ]]></array>',
    '<array><key>a</key></array>',
    '<key>a</key>',
    '<uid>1</uid>',
    '<String>a</String>',
    '<string class="x">a</string>',
    '< string>a</string>',
    '<true>x</true>',
    '<true\u00a0/>',
    '<string/>a',
    '</string>',
    '<>',
    '</>',
    '<plist version="1.0"><true/></plist>',
    '<string>]]></string>',
    '<string><![CDATA[a</string>',
    '<!-- a -- b --><true/>',
    '<!-- a --->',
    '<?xml version="1.0"?><true/>',
    '<string><?php ?></string>',
    '<true/><true/>',
    '',
  ])
})

test('tags may have white space before their end', () => {
  reads('<array ><true\n/><false></false ><string\t>a</string\n></array>', [true, false, 'a'])
})

test('the prologs seen in the field are accepted', () => {
  for (const prolog of [
    '<plist>',
    "<?xml version='1.0' encoding='utf-8' standalone='no' ?>\r\n<plist version='1.0' >",
    '<!-- x --><!DOCTYPE plist><!-- y -->\n<plist version="1.0">',
    '<!DOCTYPE plist SYSTEM "file://localhost/System/Library/DTDs/PropertyList.dtd"><plist version="1.0">',
    '<?xml version="1.0"?><!DOCTYPE plist PUBLIC "-//Apple Computer//DTD PLIST 1.0//EN" \'x\'><plist version="1.0">',
  ]) {
    assert.equal(decodePlist(document(`${prolog}<true/></plist>`)), true)
  }
})

test('document types with an internal subset and other strange prologs are refused', () => {
  for (const prolog of [
    '<!DOCTYPE plist [<!ENTITY a "b">]><plist version="1.0">',
    '<!DOCTYPE plist SYSTEM "x" [ ]><plist version="1.0">',
    '<!DOCTYPE dict><plist version="1.0">',
    '<!DOCTYPE plist PUBLIC "-//}" "x"><plist version="1.0">',
    '<!DOCTYPE plist><!DOCTYPE plist><plist version="1.0">',
    `<!DOCTYPE plist SYSTEM "${'x'.repeat(3000)}"><plist version="1.0">`,
    '<?xml version="1.1"?><plist version="1.0">',
    '<?xml version="1.0" encoding="UTF-16"?><plist version="1.0">',
    ' <?xml version="1.0"?><plist version="1.0">',
    '<?xml-stylesheet href="x"?><plist version="1.0">',
    '<plist version="2.0">',
    '<plist version="1.0" xmlns="x">',
    '<dict>',
    '',
  ]) {
    refused(document(`${prolog}<true/></plist>`), 'MALFORMED')
  }
})

test('a truncated document is refused at every length', () => {
  const whole = Buffer.from(SAMPLES[0]!).toString('utf8').trimEnd()
  const bytes = document(whole)
  for (let length = 0; length < bytes.length; length++) refused(bytes.subarray(0, length), 'MALFORMED')
})

test('only white space and comments may follow the end', () => {
  const source = Buffer.from(xml('<true/>')).toString('utf8')
  assert.equal(decodePlist(document(`${source} \n<!-- end -->\n`)), true)
  for (const junk of ['x', '<true/>', '</plist>', '\0', '&#32;', '<!--']) refused(document(source + junk), 'MALFORMED')
})
