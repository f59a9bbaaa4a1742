// npm run bench -- --turnstile: what the turnstile costs. The same work, in turns, on this program and on a copy of it that lets everything pass.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { startGenerator } from './asker.ts'
import { type Installation, startInstallation } from './installation.ts'
import { openOrders } from './orders.ts'

const root = resolve(import.meta.dirname, '..')
const DEVICES = 500
const ROUNDS = 6
const ORDERS = 6
const CONNECTIONS = 128

/** Each piece of text stands exactly once in its file; where it does not, the copy would not be what it says. */
const STUB: [file: string, text: string, instead: string][] = [
  [
    'src/edge/turnstile.ts',
    'for (const [reason, message, holds] of guards)',
    'for (const [reason, message, holds] of [] as typeof guards)',
  ],
  [
    'src/edge/turnstile.ts',
    '  const { size, root, verified } = openCheckpoint(',
    '  if (leaves) return { holds: leaves.map(() => true), cosignatures: 0 }\n  const { size, root, verified } = openCheckpoint(',
  ],
  ['src/edge/turnstile.ts', 'evidence.proofs[0]!.index', '0'],
  [
    'src/edge/orders.ts',
    'await ledger.proofs({ keys: evidenceKeys(loaded, trusted()), cosigned })',
    "{ checkpoint: '', proofs: [], ...(cosigned && evidenceKeys && ledger && {}) }",
  ],
  [
    'src/edge/permits.ts',
    '    async run(items) {',
    "    async run(items) {\n      if (items) return items.map(() => ({ verdict: 'granted' as const, permits: NONE, known: true }))",
  ],
]

/** A copy of the program whose turnstile accepts all: no guard, no proof, no permit, no word to the ledger about deliveries. */
function acceptAll(): string {
  const copy = mkdtempSync(join(tmpdir(), 'bh-stub-'))
  for (const part of ['bin', 'src', 'db', 'web/dist', 'package.json', 'package-lock.json'])
    cpSync(join(root, part), join(copy, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  for (const [file, text, instead] of STUB) {
    const source = readFileSync(join(copy, file), 'utf8')
    if (source.split(text).length !== 2) throw new Error(`${file} holds this not exactly once: ${text}`)
    writeFileSync(
      join(copy, file),
      source.replace(text, () => instead),
    )
  }
  return copy
}

type Side = {
  name: string
  installation: Installation
  asker: ReturnType<typeof startGenerator>
  order: ReturnType<typeof openOrders>
  rates: number[]
  cpu: number[]
  parts: Record<string, number>[]
}

async function openSide(name: string, program: string): Promise<Side> {
  const installation = await startInstallation(program)
  const asker = startGenerator(installation.pid)
  const order = openOrders(installation)
  await asker.ask({ do: 'profiles', url: await installation.invite(DEVICES), count: DEVICES })
  await asker.ask({ do: 'scep', connections: 16 })
  await asker.ask({ do: 'enrol', count: DEVICES, connections: 16 })
  const side = { name, installation, asker, order, rates: [], cpu: [], parts: [] }
  for (let warm = 0; warm < 10; warm++) await round(side)
  return { ...side, rates: [], cpu: [], parts: [] }
}

/** Every device fetches and acknowledges every order. CPU seconds of all our processes for 1000 requests. */
async function round({ asker, order, rates, cpu, parts }: Side) {
  const issued = await order(ORDERS)
  const measured = await asker.ask({
    do: 'fetch',
    devices: [0, DEVICES],
    connections: CONNECTIONS,
    seconds: 60,
    issued,
  })
  const seconds = Object.values(measured.cpu).reduce((sum, one) => sum + one, 0)
  parts.push(
    Object.fromEntries(Object.entries(measured.cpu).map(([name, of]) => [name, (of / measured.done.requests) * 1000])),
  )
  rates.push(measured.done.perSecond)
  cpu.push((seconds / measured.done.requests) * 1000)
}

const median = (list: number[]) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]!

/** In turns, since the machine changes by the minute. */
export async function measureTurnstile(say: (line: string) => void): Promise<string> {
  const copy = acceptAll()
  const sides: Side[] = []
  try {
    for (const [name, program] of [
      ['accept-all', copy],
      ['turnstile', root],
    ] as const)
      sides.push(await openSide(name, program))
    for (let turn = 0; turn < ROUNDS; turn++)
      for (const side of turn % 2 === 0 ? sides : sides.toReversed()) {
        await round(side)
        say(`${side.name}: ${side.rates.at(-1)} requests/s, ${side.cpu.at(-1)!.toFixed(3)} CPU s for 1000`)
      }
    return report(sides)
  } finally {
    for (const side of sides) {
      side.asker.stop()
      await side.installation.stop()
    }
    rmSync(copy, { recursive: true, force: true })
  }
}

function report(sides: Side[]): string {
  const [stub, real] = sides as [Side, Side]
  const names = ['edge', 'intake', 'ledger', 'postgresql']
  const part = ({ parts }: Side, name: string) => median(parts.map(one => one[name] ?? 0)).toFixed(3)
  const row = (side: Side) => {
    const { name, rates, cpu } = side
    const cells = [name, median(rates), `${Math.min(...rates)} to ${Math.max(...rates)}`, median(cpu).toFixed(3)]
    return `| ${[...cells, ...names.map(one => part(side, one))].join(' | ')} |`
  }
  const slower = Math.round((1 - median(real.rates) / median(stub.rates)) * 100)
  const dearer = Math.round((median(real.cpu) / median(stub.cpu) - 1) * 100)
  return [
    `Fetch and acknowledge, ${DEVICES} devices, ${CONNECTIONS} connections, ${ROUNDS} rounds each, in turns:`,
    '',
    `| | median requests/s | range | CPU s for 1000 | ${names.join(' | ')} |`,
    `| --- | --- | --- | --- |${' --- |'.repeat(names.length)}`,
    row(stub),
    row(real),
    '',
    `With the turnstile ${slower} % slower, ${dearer} % more CPU (mark: ≤ 10 % slower).`,
    '',
  ].join('\n')
}
