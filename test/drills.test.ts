import assert from 'node:assert/strict'
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, test } from 'node:test'
import { allMutants, drillMutate } from '../drill/mutate/drill.ts'
import { readMutants } from '../drill/mutate/mutants.ts'
import { drillP2 } from '../drill/p2/drill.ts'
import { drillP3 } from '../drill/p3/drill.ts'
import { drillP4 } from '../drill/p4/drill.ts'
import { holds, printed, type Result } from '../drill/report.ts'
import { compartments } from '../src/supervisor/compartments.ts'
import { processes } from '../src/supervisor/strays.ts'
import { readSources } from './support/imports.ts'
import { startInstallation } from './support/installation.ts'

// The drills in short. The long ones are `npm run drill -- P2|P3|P4|mutate`; docs/drills.md says what each of them tries.

const root = resolve(import.meta.dirname, '..')
const say = () => {}
const short = (name: string, run: () => Promise<Result>) =>
  test(name, async () => {
    const result = await run()
    assert.ok(result.figures.length > 4)
    assert.ok(holds(result), printed(result))
  })

describe('in short', { concurrency: 2 }, () => {
  short('who owns the database reads nobody and makes no device obey', () => drillP2({ say, short: true }))
  short('a stolen session approves nothing, decrypts nothing, and ends', () => drillP3({ say }))
  short('a member alone destroys nothing, and with an accomplice no more than the budget', () =>
    drillP4({ say, devices: 60, short: true }),
  )
})

describe('the drills’ own walls', () => {
  test('a guard that is written is one that is taken away, without anybody remembering', () => {
    const guards = (source: string) => readMutants(source).map(({ guard }) => guard)
    assert.deepEqual(guards(`const NEW_GUARDS = [['fresh', 'Too old.', ({ gate }) => gate.fresh], ...OLD_GUARDS]`), [
      'NEW_GUARDS: ...OLD_GUARDS',
      'NEW_GUARDS: fresh',
    ])
    assert.deepEqual(guards(`function f(a) { if (a > 1) throw refused('no'); requireSound(a) }`), [
      'f: a > 1',
      'f: requireSound(a)',
    ])
    const all = allMutants()
    assert.ok(all.length > 120)
    const turnstile = readFileSync(join(root, 'src/edge/turnstile.ts'), 'utf8')
    for (const [, reason] of turnstile.matchAll(/^ {2,6}\[?\s*'([a-z-]+)',$/gm))
      assert.ok(
        all.some(({ guard }) => guard.endsWith(`: ${reason}`)),
        String(reason),
      )
  })

  test('a guard that is missed turns red, and one that is not is named', async () => {
    const body = allMutants().find(({ guard }) => guard === 'ORDER_GUARDS: body')!
    const decoration = { ...body, guard: 'a comment', from: 0, to: 0, text: '// nobody misses this\n' }
    const result = await drillMutate({ say, mutants: [body, decoration] })
    assert.equal(holds(result), false)
    assert.match(result.tried[0]!, /turnstile\.test\.ts: .+/)
    assert.match(result.tried[1]!, /a comment {2}→ {2}NOTHING TURNED RED/)
    assert.deepEqual(result.figures.at(-1)!.detail, ['src/edge/turnstile.ts  a comment'])
  })

  test('nothing of the program names the drills, so no start can load one', () => {
    for (const [path, text] of readSources('src', 'bin', 'simulator')) {
      assert.doesNotMatch(text, /\bdrill\//, path)
      assert.doesNotMatch(text, /'--import|--require/, path)
    }
  })

  test('a clock that is set by the environment reaches no compartment', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bh-clock-'))
    chmodSync(folder, 0o755)
    copyFileSync(join(root, 'drill/clock/preload.ts'), join(folder, 'preload.ts'))
    writeFileSync(join(folder, 'shift'), String(10 * 86_400_000))
    process.env.NODE_OPTIONS = `--import ${join(folder, 'preload.ts')}`
    const starting = startInstallation().finally(() => {
      delete process.env.NODE_OPTIONS
    })
    const installation = await starting
    try {
      const { time } = await installation.console.get<{ time: string }>('/api/roster/standing')
      assert.ok(Math.abs(new Date(time).getTime() - Date.now()) < 60_000, time)
      const ours = [...processes()].filter(({ argv }) => argv.includes(installation.home))
      for (const { entry } of Object.values(compartments)) {
        const { pid, argv } = ours.find(({ argv }) => argv.some(word => word.endsWith(`/${entry}`)))!
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
        assert.deepEqual(
          environment.filter(one => one !== '' && !one.startsWith('NODE_CHANNEL_')),
          [],
          entry,
        )
        assert.ok(!argv.some(word => /import|require|preload/.test(word)), argv.join(' '))
      }
    } finally {
      await installation.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
