import { BulkheadError } from '../base/errors.ts'
import type { StandingDrafted } from '../console/api.ts'
import { type Args, text } from './args.ts'
import { consoleClient } from './client.ts'
import { expectBody, reviewDraft } from './expect.ts'
import { openRoster } from './follow.ts'
import { likely } from './likely.ts'
import { approveShown, command, listAll } from './order.ts'
import { duration, pairs, show } from './output.ts'

export async function run(args: Args): Promise<number> {
  const verb = args.command.split(' ')[1]
  if (verb === 'create') return create(args)
  if (verb === 'approve') return approveShown(args)
  return listAll(args, 'standing')
}

async function create(args: Args): Promise<number> {
  const expires = duration(args, 'expires', 'd')
  const asked = {
    ...command(args),
    trigger: triggerOf(args),
    ...(expires !== undefined && { expiresInSeconds: expires }),
  }
  const trusted = await openRoster(args.home)
  const console = consoleClient(args.home)
  const expected = expectBody(asked)
  const { order } = await console.post<StandingDrafted>('/api/standing', asked)
  const review = await reviewDraft(console, trusted, order, asked, expected)
  const orderClass = expected.class
  const quorum = trusted.rules.quorum[orderClass]
  const digest = review.digest.toString('hex')
  return show(
    args,
    { order, class: orderClass, quorum, digest },
    () =>
      `${pairs([
        ['order', order],
        ['class', orderClass],
        ['quorum', quorum],
        ['digest', digest],
      ])}Approve it with: bulkhead standing approve ${order} --digest ${digest} --passkey FILE\n`,
  )
}

const TRIGGERS = ['enrolment', 'daily']

function triggerOf(args: Args): string {
  const trigger = text(args, 'trigger') ?? 'enrolment'
  if (TRIGGERS.includes(trigger)) return trigger
  const meant = likely(trigger, TRIGGERS)
  throw new BulkheadError('USAGE', `There is no trigger "${trigger}".`, {
    remedy: `${meant === undefined ? '' : `Did you mean ${meant}? `}Write --trigger enrolment or --trigger daily.`,
  })
}
