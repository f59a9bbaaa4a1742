import type { StandingDrafted } from '../console/api.ts'
import { type Args, text } from './args.ts'
import { consoleClient } from './client.ts'
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
    trigger: text(args, 'trigger') ?? 'enrolment',
    ...(expires !== undefined && { expiresInSeconds: expires }),
  }
  const drafted = await consoleClient(args.home).post<StandingDrafted>('/api/standing', asked)
  const { order, class: orderClass, quorum } = drafted
  return show(
    args,
    { order, class: orderClass, quorum },
    () =>
      `${pairs([
        ['order', order],
        ['class', orderClass],
        ['quorum', quorum],
      ])}Approve it with: bulkhead standing approve ${order} --passkey FILE\n`,
  )
}
