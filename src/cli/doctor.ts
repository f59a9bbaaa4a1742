import { existsSync } from 'node:fs'
import { runningSupervisor } from '../supervisor/lock.ts'
import { type Args, flag } from './args.ts'
import { readHomeConfig } from './home.ts'
import { look } from './sight.ts'
import { type Finding, walls } from './walls.ts'

/** `bulkhead doctor`: every wall, whether it stands on this machine and in this home, and what to do. Running or stopped. */
export async function run(args: Args): Promise<number> {
  const sight = await look(args.home)
  const found = walls.map(({ wall, kind, judge }): Finding => ({ wall, kind, ...judge(sight) }))
  process.stdout.write(
    flag(args, 'json')
      ? `${JSON.stringify({ home: args.home, running: sight.running, walls: found })}\n`
      : table(args.home, found),
  )
  return 0
}

function table(home: string, found: readonly Finding[]): string {
  const state = runningSupervisor(home) ? 'running' : existsSync(home) ? 'stopped' : 'not made yet'
  const { publicUrl } = existsSync(home) ? readHomeConfig(home) : {}
  const width = Math.max(...found.map(({ wall }) => wall.length))
  const rows = found.flatMap(({ wall, kind, stands, why, remedy }) => [
    `${stands.padEnd(6)}  ${kind}  ${wall.padEnd(width)}  ${why}`,
    ...(remedy === undefined ? [] : [`${' '.repeat(width + 13)}→ ${remedy}`]),
  ])
  const counts = (['yes', 'partly', 'no'] as const)
    .map(stands => `${found.filter(one => one.stands === stands).length} ${stands}`)
    .join(', ')
  return [
    `Home ${home}: ${state}${publicUrl === undefined ? '' : `, ${publicUrl}`}`,
    '',
    'stands  kind',
    ...rows,
    '',
    `${found.length} walls: ${counts}`,
    '',
  ].join('\n')
}
