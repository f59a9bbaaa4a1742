import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { build, type Rolldown } from 'vite'
import { nodeHpke } from '../../src/cli/hpke.ts'
import { fromBase64, toBase64, toHex, utf8 } from '../../src/people/bytes.ts'
import { readPeople } from '../../src/people/import.ts'
import { makeKeyPair } from '../../src/people/keys.ts'
import { memberKeyPair } from '../../src/people/memberkey.ts'
import { requireSignature } from '../../src/people/session.ts'
import { openIndex } from '../../src/people/tokens.ts'
import { openBrowser, openTab, skip } from './browser.ts'

/** The directory's client side as a browser runs it: bundled as it stands, with nothing in the place of Node. */
const root = join(import.meta.dirname, '../..')
const PARTS = ['bytes', 'import', 'memberkey', 'session', 'tokens', 'write'].map(
  name => `${root}/src/people/${name}.ts`,
)
const ENTRY = [...PARTS, `${root}/web/src/hpke.ts`].map(path => `export * from ${JSON.stringify(path)}`).join('\n')
// biome-ignore lint/suspicious/noExplicitAny: what the page holds
type Bundle = any
declare const people: Bundle

let browser: Browser
let page: Page
let complaints: string[]

async function bundle(): Promise<string> {
  const entry = {
    name: 'entry',
    resolveId: (id: string) => (id.endsWith('the-entry') ? 'the-entry' : undefined),
    load: (id: string) => (id === 'the-entry' ? ENTRY : undefined),
  }
  const made = await build({
    root,
    configFile: false,
    logLevel: 'error',
    plugins: [entry],
    build: {
      write: false,
      target: 'es2023',
      minify: false,
      lib: { entry: 'the-entry', formats: ['iife'], name: 'people' },
    },
  })
  const [output] = (Array.isArray(made) ? made : [made]) as Rolldown.RolldownOutput[]
  return output!.output[0].code
}

before(async () => {
  if (skip) return
  const code = await bundle()
  assert.doesNotMatch(code, /node:|require\(/)
  browser = await openBrowser()
  ;({ page, complaints } = await openTab(browser))
  await page.route('http://localhost:4780/', route =>
    route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }),
  )
  await page.goto('http://localhost:4780/')
  await page.addScriptTag({ content: `${code}\nglobalThis.people = people` })
})
after(() => browser?.close())

const genesis = new Uint8Array(32).fill(5)

test('Chromium opens the vector of RFC 9180, and what Node seals; Node opens what Chromium seals', {
  skip,
}, async () => {
  const vector: Record<string, string> = JSON.parse(readFileSync(join(root, 'test/vectors/hpke.json'), 'utf8'))
  const opened = await page.evaluate(async vector => {
    const of = (hex: string) => Uint8Array.from(hex.match(/../g)!, byte => Number.parseInt(byte, 16))
    const sealed = people.concat(of(vector.enc!), of(vector.ciphertext!))
    return people.toHex(await people.openInBrowser(of(vector.skRm!), sealed, of(vector.aad!), of(vector.info!)))
  }, vector)
  assert.equal(opened, vector.plaintext)
  const { privateKey, publicKey } = await makeKeyPair()
  const fromNode = await nodeHpke.seal(publicKey, utf8('from Node'), utf8('here'))
  const [heard, sealed] = await page.evaluate(async ([privateKey, publicKey, fromNode]) => {
    const { fromBase64: from, utf8, textOf, toBase64, browserHpke } = people
    const heard = textOf(await browserHpke.open(from(privateKey), from(fromNode), utf8('here')))
    return [heard, toBase64(await browserHpke.seal(from(publicKey), utf8('from Chromium'), utf8('here')))]
  }, [privateKey, publicKey, fromNode].map(toBase64))
  assert.equal(heard, 'from Node')
  const there = await nodeHpke.open(privateKey, fromBase64(sealed as string), utf8('here'))
  assert.equal(new TextDecoder().decode(there), 'from Chromium')
})

test('a file, its tokens and a passkey’s key come out in Chromium as in Node', { skip }, async () => {
  const csv = 'givenName,familyName,email,mobile\nŁukasz,Müßener,l@x.eu,0470 12 34 56\n小明,王,x@x.eu,+32470123457\n'
  const samples = JSON.parse(readFileSync(join(root, 'test/vectors/people-xlsx.json'), 'utf8'))
  const key = new Uint8Array(32).fill(6)
  const here = await readPeople(utf8(csv), { country: '32' })
  const index = openIndex(key, 'unit', genesis)
  const sheet = await readPeople(fromBase64(samples.openpyxl), { country: '32' })
  const found = await page.evaluate(
    async ([csv, sheet, key, genesis]) => {
      const { fromBase64: from } = people
      const here = await people.readPeople(people.utf8(csv), { country: '32' })
      const index = people.openIndex(from(key), 'unit', from(genesis))
      return {
        here,
        tokens: here.people.map(index.tokensOf),
        query: index.queryTokens('łuk'),
        sheet: await people.readPeople(from(sheet), { country: '32' }),
        member: people.toHex((await people.memberKeyPair(from(key), from(genesis))).publicKey),
      }
    },
    [csv, samples.openpyxl, toBase64(key), toBase64(genesis)],
  )
  assert.deepEqual(found, {
    here,
    tokens: here.people.map(index.tokensOf),
    query: index.queryTokens('łuk'),
    sheet,
    member: toHex((await memberKeyPair(key, genesis)).publicKey),
  })
})

test('Chromium’s session key signs records that verify', { skip }, async t => {
  const [unitKey, releaseKey] = [await makeKeyPair(), await makeKeyPair()]
  const made = await page.evaluate(async ([unitKey, releaseKey, genesis]) => {
    const { fromBase64: from } = people
    const genesisDigest = from(genesis)
    const approve = async () => ({ credentialId: '', clientDataJSON: '', authenticatorData: '', signature: '' })
    const unit = crypto.randomUUID()
    const session = await people.openWriterSession({ unit }, { approve, genesisDigest, now: 1_800_000_000 })
    const person = {
      givenName: 'A',
      familyName: 'B',
      email: 'a@b.eu',
      mobile: '',
      office: '',
      language: '',
      fields: {},
    }
    const rows = Array.from({ length: 500 }, () => ({ id: crypto.randomUUID(), version: 1, person }))
    const releaseKeys = new Map(rows.map(({ id }) => [id, from(releaseKey)]))
    const index = people.openIndex(from(unitKey), unit, genesisDigest)
    const using = { session, unitKey: from(unitKey), releaseKeys, genesisDigest, hpke: people.browserHpke, index }
    const start = performance.now()
    const written = await people.writePeople(rows, using)
    return { written, key: session.key.publicKey as string, took: performance.now() - start }
  }, [unitKey.publicKey, releaseKey.publicKey, genesis].map(toBase64))
  t.diagnostic(`500 people in ${Math.round(made.took)} ms`)
  for (const record of made.written) await requireSignature(made.key, record, 'bulkhead-record/v1', genesis)
  assert.equal(made.written.length, 500)
  assert.deepEqual(complaints, [])
})
