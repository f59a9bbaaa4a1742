// npm run drill -- P2|P3|P4|P5|P6|P7|erase|mutate [--devices N] [--short] [--json]: takes an attacker's position against the real build, and counts.
import { parseArgs } from 'node:util'
import { drillErase } from './erase/drill.ts'
import { drillMutate } from './mutate/drill.ts'
import { drillP2 } from './p2/drill.ts'
import { drillP3 } from './p3/drill.ts'
import { drillP4 } from './p4/drill.ts'
import { drillP5 } from './p5/drill.ts'
import { drillP6 } from './p6/drill.ts'
import { drillP7 } from './p7/drill.ts'
import { holds, printed, type Result } from './report.ts'
import type { Say } from './world.ts'

type Options = { say: Say; devices: number; short: boolean }
const drills: Record<string, (options: Options) => Promise<Result>> = {
  P2: drillP2,
  P3: drillP3,
  P4: drillP4,
  P5: drillP5,
  P6: drillP6,
  P7: drillP7,
  erase: drillErase,
  mutate: ({ say }) => drillMutate({ say }),
}

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: {
    devices: { type: 'string', default: '2000' },
    short: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    home: { type: 'string' }, // given by npm scripts for every command; a drill has homes of its own
  },
})
const drill = drills[positionals[0] ?? '']
if (!drill || positionals.length !== 1) {
  process.stderr.write(`npm run drill -- ${Object.keys(drills).join('|')} [--devices N] [--short] [--json]\n`)
  process.exit(64)
}
const began = performance.now()
const say = (line: string) =>
  void process.stderr.write(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${line}\n`)
const result = await drill({ say, devices: Number(values.devices), short: values.short })
if (!values.json && positionals[0] === 'mutate') process.stdout.write(`${result.tried.join('\n')}\n\n`)
process.stdout.write(values.json ? `${JSON.stringify(result, null, 2)}\n` : printed(result))
process.exitCode = holds(result) ? 0 : 1
