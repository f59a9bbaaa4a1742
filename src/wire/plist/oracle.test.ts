import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import * as npm from 'plist'
import { BulkheadError } from '../../base/errors.ts'
import { value } from './arbitrary.test.ts'
import { decodePlist, encodeBinaryPlist, encodeXmlPlist, type PlistDict, type PlistValue } from './plist.ts'
import { SAMPLES } from './samples.test.ts'

/** A value as JSON that both languages write alike: numbers as the bits of a double, dictionaries sorted. */
type Tagged = readonly [string, string | boolean | readonly Tagged[] | readonly (readonly [string, Tagged])[]]

/** Reads `{load: base64}` and `{dump: tagged, format}` from standard input; answers a tagged value, base64, or null. */
const PYTHON = `
import base64, datetime, json, plistlib, struct, sys
FORMATS = {'xml': plistlib.FMT_XML, 'binary': plistlib.FMT_BINARY}
def moment(v): return v.strftime('%m-%dT%H:%M:%S.') + '%03d %d' % (v.microsecond // 1000, v.year)
def tag(v):
    if isinstance(v, bool): return ['bool', v]
    if isinstance(v, int) and abs(v) > 2**53 - 1: return ['big', str(v)]
    if isinstance(v, (int, float)): return ['number', struct.pack('>d', v).hex()]
    if isinstance(v, str): return ['string', v]
    if isinstance(v, bytes): return ['data', v.hex()]
    if isinstance(v, datetime.datetime): return ['date', moment(v + datetime.timedelta(microseconds=500))]
    if isinstance(v, list): return ['array', [tag(x) for x in v]]
    return ['dict', [[k, tag(v[k])] for k in sorted(v, key=lambda k: k.encode('utf-16-be'))]]
def untag(t):
    kind, v = t
    if kind == 'big': return int(v)
    if kind == 'number':
        x = struct.unpack('>d', bytes.fromhex(v))[0]
        return int(x) if x.is_integer() and abs(x) < 2**53 else x
    if kind == 'data': return bytes.fromhex(v)
    if kind == 'date':
        moment, year = v.split(' ')
        return datetime.datetime.strptime('%04d-' % int(year) + moment, '%Y-%m-%dT%H:%M:%S.%f')
    if kind == 'array': return [untag(x) for x in v]
    if kind == 'dict': return {k: untag(x) for k, x in v}
    return v
def answer(ask):
    try:
        if 'load' in ask: return tag(plistlib.loads(base64.b64decode(ask['load'])))
        return base64.b64encode(plistlib.dumps(untag(ask['dump']), fmt=FORMATS[ask['format']], sort_keys=False)).decode()
    except Exception: return None
json.dump([answer(ask) for ask in json.load(sys.stdin)], sys.stdout)
`

type Ask = { load: string } | { dump: Tagged; format: 'xml' | 'binary' }

function ask(asks: readonly Ask[]): unknown[] {
  const { stdout, status } = spawnSync('python3', ['-c', PYTHON], { input: JSON.stringify(asks), maxBuffer: 2 ** 28 })
  assert.equal(status, 0)
  const answers: unknown = JSON.parse(stdout.toString('utf8'))
  assert.ok(Array.isArray(answers) && answers.length === asks.length)
  return answers
}

function tag(value: PlistValue): Tagged {
  if (typeof value === 'boolean') return ['bool', value]
  if (typeof value === 'bigint') return ['big', String(value)]
  if (typeof value === 'string') return ['string', value]
  if (typeof value === 'number') return ['number', bits(value)]
  if (value instanceof Uint8Array) return ['data', Buffer.from(value).toString('hex')]
  if (value instanceof Date) return ['date', `${value.toISOString().slice(-19, -1)} ${value.getUTCFullYear()}`]
  if (Array.isArray(value)) return ['array', value.map(tag)]
  const keys = Object.keys(value).sort()
  return ['dict', keys.map(key => [key, tag((value as PlistDict)[key]!)] as const)]
}

function bits(value: number): string {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value)
  return bytes.toString('hex')
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
const skip = spawnSync('python3', ['--version']).status === 0 ? false : 'python3 is missing'

test("Python's plistlib reads what we write", { skip }, () => {
  const values = fc.sample(value, 120)
  const documents = values.flatMap(made => [encodeXmlPlist(made), encodeBinaryPlist(made)])
  const answers = ask(documents.map(bytes => ({ load: base64(bytes) })))
  answers.forEach((answer, index) => {
    assert.deepStrictEqual(answer, tag(values[index >> 1]!))
  })
})

test("we read what Python's plistlib writes", { skip }, () => {
  // It leaves carriage returns bare in XML, where they are line ends.
  const values = fc.sample(value, 160).filter(made => !JSON.stringify(tag(made)).includes('\\r'))
  assert.ok(values.length > 50)
  const asks = values.flatMap((made): Ask[] => [
    { dump: tag(made), format: 'xml' },
    { dump: tag(made), format: 'binary' },
  ])
  ask(asks).forEach((answer, index) => {
    assert.ok(typeof answer === 'string')
    assert.deepStrictEqual(tag(decodePlist(Buffer.from(answer, 'base64'))), tag(values[index >> 1]!))
  })
})

/** What we make of the bytes, or null where they are refused. */
function ours(bytes: Uint8Array): Tagged | null {
  try {
    return tag(decodePlist(bytes))
  } catch (error) {
    assert.ok(error instanceof BulkheadError)
    return null
  }
}

/** Whether the value has a date of a year that Python's dates do not reach. */
function beyondPython([kind, inner]: Tagged): boolean {
  if (kind === 'date') return !/ [1-9]\d{0,3}$/.test(String(inner))
  return Array.isArray(inner) && inner.some(part => beyondPython(kind === 'dict' ? part[1] : part))
}

test('whatever we accept of changed documents, Python reads the same', { skip }, () => {
  const spot = fc.tuple(fc.constantFrom(...SAMPLES), fc.nat(5000), fc.nat(255))
  const changed = fc.sample(spot, 2500).map(([sample, at, byte]) => {
    const bytes = new Uint8Array(sample)
    bytes[at % bytes.length] = byte
    return bytes
  })
  const accepted = changed.filter(bytes => ours(bytes) !== null && !beyondPython(ours(bytes)!))
  assert.ok(accepted.length > 50 && accepted.length < changed.length - 50)
  ask(accepted.map(bytes => ({ load: base64(bytes) }))).forEach((answer, index) => {
    assert.deepStrictEqual(answer, ours(accepted[index]!), base64(accepted[index]!))
  })
})

// The npm package loses large integers and trims some text: only what it can hold is compared.
const simple = fc.dictionary(
  fc.stringMatching(/^[A-Z][A-Za-z]{0,12}$/),
  fc.oneof(
    fc.stringMatching(/^[A-Za-z0-9 .&<-]{1,20}$/),
    fc.integer(),
    fc.boolean(),
    fc.array(fc.integer(), { maxLength: 5 }),
  ),
)
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

test('the npm package plist reads what we write, and we read what it writes', () => {
  fc.assert(
    fc.property(simple, made => {
      assert.deepStrictEqual(plain(npm.parse(new TextDecoder().decode(encodeXmlPlist(made)))), plain(made))
      assert.deepStrictEqual(plain(decodePlist(new TextEncoder().encode(npm.build(made)))), plain(made))
    }),
    { numRuns: 150 },
  )
})
