import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { inParallel } from '../../simulator/fleet.ts'
import type { Figure, Result } from '../report.ts'
import type { Say } from '../world.ts'
import { grantMutants } from './grants.ts'
import { DOUBLED, type Mutant, mutantsOf } from './mutants.ts'

// Takes each guard away in turn, in a copy of the tree, and runs the tests that know it. A guard whose absence turns nothing red is a
// decoration, and a figure that does not hold.

const root = resolve(import.meta.dirname, '../..')
const PARTS = ['src', 'bin', 'db', 'test', 'simulator', 'bench', 'drill', 'web/src', 'package.json', 'tsconfig.json']
const WORKERS = 2
const PATIENCE_MS = 120_000

export type Verdict = Mutant & { red: string | undefined }

/** Every guard that there is. */
export const allMutants = (): Mutant[] => [...mutantsOf(root), ...grantMutants(root)]

export async function drillMutate({ say, mutants = allMutants() }: { say: Say; mutants?: Mutant[] }): Promise<Result> {
  const began = performance.now()
  const trees = Array.from({ length: WORKERS }, copyTree)
  try {
    await unmutated(trees[0]!, mutants)
    say(`${mutants.length} guards; without a mutation everything is green.`)
    const verdicts: Verdict[] = []
    const free = [...trees]
    await inParallel(mutants, WORKERS, async (mutant, at) => {
      const tree = free.pop()!
      verdicts[at] = { ...mutant, red: await redBy(tree, mutant) }
      free.push(tree)
      if (at % 20 === 19) say(`${at + 1} of ${mutants.length}.`)
    })
    return reportOf(verdicts, (performance.now() - began) / 1000)
  } finally {
    for (const tree of trees) rmSync(tree, { recursive: true, force: true })
  }
}

function copyTree(): string {
  const tree = mkdtempSync(join(tmpdir(), 'bh-mutate-'))
  for (const part of PARTS) cpSync(join(root, part), join(tree, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'))
  return tree
}

/** A test that is red anyway shows nothing. */
async function unmutated(tree: string, mutants: readonly Mutant[]) {
  for (const test of new Set(mutants.flatMap(({ tests }) => tests))) {
    const red = await run(tree, test)
    if (red !== undefined) throw new Error(`${test} is red without a mutation: ${red}`)
  }
}

/** The first test that turns red; undefined where none does. */
async function redBy(tree: string, { file, from, to, text, tests }: Mutant): Promise<string | undefined> {
  const path = join(tree, file)
  const source = readFileSync(path, 'utf8')
  writeFileSync(path, source.slice(0, from) + text + source.slice(to))
  try {
    for (const test of tests) {
      const red = await run(tree, test)
      if (red !== undefined) return `${test}: ${red}`
    }
    return undefined
  } finally {
    writeFileSync(path, source)
  }
}

/** What turned red in a test file. Throws where it could not even begin: a program that does not load is no guard that was missed. */
function run(tree: string, test: string): Promise<string | undefined> {
  // Within another test run Node would take it for a part of that one.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const options = { cwd: tree, env, timeout: PATIENCE_MS, maxBuffer: 64 * 1024 * 1024 }
  return new Promise((settle, reject) => {
    // A server that a red test leaves behind would keep its file from ending; ended so, a file says less of what turned red.
    const end = test.endsWith('server.test.ts') ? ['--test-force-exit'] : []
    execFile(process.execPath, ['--test', ...end, '--test-reporter=tap', test], options, (error, out) => {
      if (!error) return settle(undefined)
      if (error.killed) return settle('it never ends')
      const red = [...out.matchAll(/^ *not ok \d+ - (.+)$/gm)]
        .map(([, name]) => name!)
        .find(name => !name.endsWith(test))
      if (red) settle(red)
      else if (/^# pass [1-9]/m.test(out)) settle('it ends before its end')
      else reject(new Error(`${test} did not begin: ${out.slice(-2000)}`))
    })
  })
}

function reportOf(verdicts: readonly Verdict[], seconds: number): Result {
  const decorations = verdicts.filter(({ red, guard }) => red === undefined && !Object.hasOwn(DOUBLED, guard))
  const stale = Object.keys(DOUBLED).filter(
    guard => !verdicts.some(one => one.guard === guard && one.red === undefined),
  )
  const figures: Figure[] = [
    ...[...Map.groupBy(verdicts, ({ file }) => file)].map(([file, of]) => ({
      kind: 'effect' as const,
      what: `${file}: guards whose absence turned something red`,
      found: of.filter(({ red }) => red !== undefined).length,
      limit: `= ${of.filter(({ guard }) => !Object.hasOwn(DOUBLED, guard)).length}`,
      holds: of.every(one => !decorations.includes(one)),
    })),
    {
      kind: 'effect',
      what: 'guards that are a decoration',
      found: decorations.length,
      limit: '≤ 0',
      holds: decorations.length === 0,
      detail: decorations.map(({ file, guard }) => `${file}  ${guard}`),
    },
  ]
  return {
    drill: 'mutate',
    position: 'each guard taken away in turn',
    seconds,
    figures,
    tried: verdicts.map(
      ({ file, guard, red }) => `${file}  ${guard}  →  ${red ?? DOUBLED[guard] ?? 'NOTHING TURNED RED'}`,
    ),
    skipped: stale.map(guard => ({ what: guard, why: 'it is named as doubled, and is not' })),
  }
}
