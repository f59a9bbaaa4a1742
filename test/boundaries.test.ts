import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { graphOf, readSources } from './support/imports.ts'
import { hits } from './support/walls.ts'

const sources = readSources('src', 'bin')

test('no import crosses a wall', () => assert.deepEqual(hits(sources, graphOf(sources)), []))

test('the app takes from the server only what is pure, and nothing from Node itself', () => {
  const web = graphOf(readSources('web/src'))
  assert.ok(web.size > 40)
  const pure = (to: string) => /^(web\/src|src\/trust|src\/wire|src\/people)\//.test(to) || to === 'src/base/errors.ts'
  for (const [path, imports] of web)
    for (const { to } of imports)
      if (to.startsWith('src/') || to.startsWith('node:') || to === 'computed') assert.ok(pure(to), `${path} → ${to}`)
})

test('the graph holds every source file, so that an empty graph cannot pass', () => {
  const files = readdirSync(join(import.meta.dirname, '../src'), { recursive: true }).filter(
    path => /\.ts$/.test(String(path)) && !/\.test\.ts$/.test(String(path)),
  )
  assert.ok(files.length > 100)
  for (const file of files) assert.ok(sources.has(`src/${file}`), `src/${file} is not in the graph`)
  assert.ok([...graphOf(sources).values()].flat().length > 300)
})

test('the edge has one exit for bytes: nothing but the turnstile makes a Passed, and only send() writes one', () => {
  for (const [path, text] of sources) {
    if (!path.startsWith('src/edge/')) continue
    if (path !== 'src/edge/turnstile.ts') assert.doesNotMatch(text, /as (unknown as )?Passed\b/, path)
    const ends = [...text.matchAll(/\b(response|socket)\.(end|write)\(([^)]*)/g)].map(match => match[0])
    const allowed = path === 'src/edge/server.ts' ? 3 : path === 'src/edge/http.ts' ? 3 : 0
    assert.equal(ends.length, allowed, `${path}: ${ends.join('; ')}`)
  }
  const server = sources.get('src/edge/server.ts')!
  assert.match(server, /response\.end\(answer\.bytes\)/)
})

const broken: [name: string, path: string, text: string][] = [
  ['the edge imports the inside of the vault', 'src/edge/planted.ts', "import { issue } from '../vault/issue.ts'"],
  ['the edge reaches the keys of the vault through another file', 'src/trust/planted.ts', "import '../vault/keys.ts'"],
  ['intake takes a package', 'src/intake/planted.ts', "import pg from 'pg'"],
  ['a codec reads a file', 'src/wire/planted.ts', "import { readFileSync } from 'node:fs'"],
  ['a compartment starts a process', 'src/vault/planted.ts', "import { spawn } from 'node:child_process'"],
  ['an import is computed', 'src/console/planted.ts', 'await import(process.env.X)'],
  ['code is made from a string', 'src/ledger/planted.ts', 'export const f = new Function("return 1")'],
  ['base learns about devices', 'src/base/planted.ts', "import '../trust/order.ts'"],
  ['the console imports the client’s side of the directory', 'src/console/planted.ts', "import '../people/seal.ts'"],
  ['the client’s side of the directory takes a module of Node’s', 'src/people/planted.ts', "import 'node:fs'"],
  ['the client’s side of the directory takes a package', 'src/people/planted.ts', "import 'fflate'"],
  ['two files import each other', 'src/watch/planted.ts', "import './planted2.ts'"],
]
for (const [name, path, text] of broken)
  test(`the wall turns red when ${name}`, () => {
    const changed = new Map(sources).set(path, text)
    changed.set('src/watch/planted2.ts', path === 'src/watch/planted.ts' ? "import './planted.ts'" : '')
    assert.ok(hits(changed, graphOf(changed)).some(hit => hit.includes('planted')))
  })

test('the wall turns red when intake gets a chain to a private key', () => {
  const changed = new Map(sources)
    .set('src/intake/device.ts', "import { loadEdgeKeys } from '../base/planted.ts'")
    .set('src/base/planted.ts', "export * from '../edge/keys.ts'")
  assert.ok(
    hits(changed, graphOf(changed)).some(hit => hit.startsWith('bin/intake.ts') && hit.includes('edge/keys.ts')),
  )
})

test('the wall turns red when a process of the server gets a chain to the client’s side of the directory', () => {
  const changed = new Map(sources)
    .set('src/vault/server.ts', "import './planted.ts'")
    .set('src/vault/planted.ts', "export * from '../people/read.ts'")
  assert.ok(hits(changed, graphOf(changed)).some(hit => hit.startsWith('bin/vault.ts') && hit.includes('people/')))
})
