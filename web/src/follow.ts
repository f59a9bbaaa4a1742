import { BulkheadError } from '../../src/base/errors.ts'
import type { ControlView } from '../../src/trust/follow.ts'
import { call, Refusal } from './api.ts'
import { halt, requireUnhalted } from './halt.ts'
import { type ControlPage, judge, type MainHead, type Shown } from './judge.ts'
import { settled } from './node/answers.ts'
import { recallHeads, rememberHeads } from './remembered.ts'

/** The two logs, as this browser has verified them itself. */
type Pinned = { genesis: string; genesisDigest: string }

const known = { genesisDigest: '', pages: [] as ControlPage[] } // entries that were found right: only later ones are asked for
let before: Promise<unknown> = Promise.resolve()

/** Looks at both logs again, one look after the other. What does not hold halts the page. Throws Refusal. */
export function follow(pinned: Pinned): Promise<ControlView> {
  const mine = before.then(() => look(pinned))
  before = mine.catch(() => {})
  return mine
}

async function look(pinned: Pinned): Promise<ControlView> {
  requireUnhalted()
  const { genesisDigest } = pinned
  if (known.genesisDigest !== genesisDigest) Object.assign(known, { genesisDigest, pages: [] })
  const remembered = recallHeads(genesisDigest) // before asking: another tab may see more meanwhile
  const main = await call<MainHead>(`/api/main?from=${remembered.main?.size ?? 0}`)
  const pages = [...known.pages]
  for (;;) {
    const from = count(pages)
    const page = await call<ControlPage>(`/api/control?from=${from}`)
    pages.push(page)
    const { view, heads } = await judged({ ...pinned, control: pages, main, remembered })
    if (view.head.size < count(pages) && page.entries.length > 0) continue // the log goes on
    requireWhole(view, pages, remembered)
    known.pages = [{ checkpoint: page.checkpoint, entries: pages.flatMap(({ entries }) => entries) }]
    rememberHeads(genesisDigest, heads)
    return view
  }
}

const count = (pages: ControlPage[]) => pages.reduce((sum, { entries }) => sum + entries.length, 0)

async function judged(shown: Shown) {
  try {
    return await settled(() => judge(shown))
  } catch (error) {
    if (error instanceof BulkheadError) throw stop(error.message, shown)
    throw new Refusal(
      'NOT_SUPPORTED',
      'This browser could not check the ledger’s signatures.',
      'Use a current Chrome, Edge, Firefox or Safari.',
    )
  }
}

/** Not all entries, or no word of the ledger's clock, is less than the ledger shows everybody. */
function requireWhole(view: ControlView, pages: ControlPage[], remembered: Shown['remembered']) {
  if (view.head.size === count(pages) && view.time > 0) return
  const checkpoint = pages.at(-1)!.checkpoint
  throw stop('The control log is not shown as a whole.', {
    control: pages,
    main: { checkpoint, proof: [] },
    remembered,
  })
}

function stop(message: string, { control, main, remembered }: Pick<Shown, 'control' | 'main' | 'remembered'>): Refusal {
  const reason = new Refusal('HISTORY', message, 'Approve nothing, here or anywhere else.')
  return halt({ reason, remembered, shown: [...new Set([control.at(-1)?.checkpoint ?? '', main.checkpoint])] })
}
