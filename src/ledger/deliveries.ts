import { BulkheadError } from '../base/errors.ts'
import { CLASSES, type Rate, type Rules } from '../trust/policy.ts'
import type { OrderClass } from '../trust/rules.ts'
import type { Caller, Delivery, Verdict } from './api.ts'
import { Budgets } from './budgets.ts'
import { CommandIndex } from './commands.ts'
import { Enrolments } from './enrolments.ts'
import type { Entry } from './entry.ts'
import type { LogState } from './sequence.ts'

/**
 * What the main log's entries mean to the ledger: which commands were granted and answered, how much of each budget is used, how far each
 * passkey has counted, how many devices there are and came lately. All of it is rebuilt from the entries, so a restored ledger forgets nothing, and however
 * many edges ask, a command is granted once.
 */
const ITEMS = 80 // in one entry, which has at most MAX_ENTRY bytes
const DAY = 86_400

type DeliveryEntry = {
  type: 'delivery'
  at: number
  items: [command: string, order: string, device: string, kind: string, counted: 0 | 1][]
}
type AnswerEntry = { type: 'acknowledgement'; at: number; items: string[] }
type ApprovalEntry = { type: 'approval'; credential: string; count: number }

export class Deliveries implements LogState {
  readonly #commands = new CommandIndex()
  readonly #budgets = new Budgets()
  readonly #counts = new Map<string, number>() // by credential: the authenticator's own count
  readonly #enrolments = new Enrolments()
  readonly #pace: () => { now: number; enrol: readonly Rate[] }
  #fleet = 0

  /** `pace`: the time, and how fast devices may enrol at it. */
  constructor(pace: () => { now: number; enrol: readonly Rate[] }) {
    this.#pace = pace
  }

  check(_caller: Caller, { type, bytes }: Entry): void {
    if (type === 'consumed') {
      const { now, enrol } = this.#pace()
      this.#enrolments.check(bytes, now, enrol)
    }
    if (type !== 'approval') return
    const { credential, count } = JSON.parse(bytes.toString()) as ApprovalEntry
    const before = this.#counts.get(credential) ?? 0
    if ((count === 0 && before === 0) || (Number.isSafeInteger(count) && count > before)) return
    throw new BulkheadError(
      'FORBIDDEN',
      `The passkey has counted to ${before} before, and says ${count} now: there may be a copy of it.`,
    )
  }

  added(bytes: Buffer): void {
    const kind = typeOf(bytes)
    if (kind === 'consumed') this.#enrolments.added(bytes)
    if (kind === 'certificate') this.#fleet += bytes.includes('"unique":') ? 1 : 0
    if (kind !== 'delivery' && kind !== 'acknowledgement' && kind !== 'approval') return
    const entry = JSON.parse(bytes.toString()) as DeliveryEntry | AnswerEntry | ApprovalEntry
    if (entry.type === 'approval') this.#counts.set(entry.credential, entry.count)
    else if (entry.type === 'acknowledgement') for (const command of entry.items) this.#commands.answer(command)
    else
      for (const [command, order, device, of, counted] of entry.items) {
        this.#commands.grant(command, Math.floor(entry.at / DAY))
        if (counted) this.#budgets.add({ kind: of, order, device, at: entry.at })
      }
  }

  /** Judges each delivery after those before it, and words the entries that make the grants so. Add them in the same turn. */
  judge(deliveries: readonly Delivery[], at: number, { budgets }: Rules): { verdicts: Verdict[]; entries: string[] } {
    const ahead = new Set<string>()
    const granted: DeliveryEntry['items'] = []
    const verdicts = deliveries.map(({ command, order, device, class: named, counted }): Verdict => {
      const kind = isClass(named) ? named : 'destroy' // one that nobody knows is the worst
      const fate = this.#commands.fate(command)
      if (fate !== 'unknown') return fate === 'answered' ? 'answered' : 'again'
      if (ahead.has(command)) return 'again'
      const counts = counted && budgets[kind].length > 0
      if (counts && !this.#budgets.take({ kind, order, device, at }, budgets[kind], this.#fleet)) return 'budget'
      ahead.add(command)
      granted.push([command, order, device, kind, counts ? 1 : 0])
      return 'granted'
    })
    return { verdicts, entries: entriesOf('delivery', at, granted) }
  }

  /** The entries that make these answers so, and the commands that nobody granted. */
  answer(commands: readonly string[], at: number): { unknown: string[]; entries: string[] } {
    const fates = [...new Set(commands)].map(command => ({ command, fate: this.#commands.fate(command) }))
    const of = (wanted: string) => fates.filter(({ fate }) => fate === wanted).map(({ command }) => command)
    return { unknown: of('unknown'), entries: entriesOf('acknowledgement', at, of('granted')) }
  }
}

const isClass = (name: string): name is OrderClass => (CLASSES as readonly string[]).includes(name)

/** Written in the order of RFC 8785: at, items, type. */
function entriesOf(type: 'delivery' | 'acknowledgement', at: number, items: readonly unknown[]): string[] {
  const entries: string[] = []
  for (let from = 0; from < items.length; from += ITEMS)
    entries.push(JSON.stringify({ at, items: items.slice(from, from + ITEMS), type }))
  return entries
}

/** Most entries mean nothing here, and parsing millions at start takes long: the type of these forms stands at the end, or before "unique". */
function typeOf(bytes: Buffer): string | undefined {
  return /"type":"([a-z]+)"(?:,"unique":"[^"]*")?(?:,"voucher":"[0-9a-f]*")?\}$/.exec(
    bytes.toString('latin1', Math.max(0, bytes.length - 300)),
  )?.[1]
}
