import { BulkheadError } from '../../base/errors.ts'
import type { DevicePage } from '../../console/api.ts'
import type { Assignments } from '../../console/people/api.ts'
import { signAssignment } from '../../people/assign.ts'
import { openWriterSession } from '../../people/session.ts'
import type { Args } from '../args.ts'
import { nodeSessionKey } from '../hpke.ts'
import { show } from '../output.ts'
import { named } from './named.ts'
import { unlock } from './unlock.ts'

/** Hands devices over to people, or takes them back: signed statements of ids, by one session. */
export async function assign(args: Args): Promise<number> {
  const pairs = args.words.map(split)
  const { console, unit, trusted, making } = await unlock(args)
  const people = await named(
    console,
    unit.id,
    pairs.flatMap(({ person }) => person ?? []),
  )
  const idOf = (name: string | undefined) => people.find(({ id, alias }) => id === name || alias === name)?.id
  const session = await openWriterSession({ unit: unit.id, key: nodeSessionKey() }, making())
  const assigned: { device: string; person: string | null }[] = []
  for (const { device: name, person: who } of pairs) {
    const { device } = await console.get<DevicePage>(`/api/devices/${encodeURIComponent(name)}`)
    const { assignments } = await console.get<Assignments>(`/api/people/assignments?device=${device}`)
    const person = idOf(who)
    const next = { device, version: (assignments[0]?.version ?? 0) + 1, ...(person === undefined ? {} : { person }) }
    const signed = await signAssignment(session, next, trusted.genesisDigest)
    await console.post('/api/people/assign', { writer: session.writer, ...signed })
    assigned.push({ device, person: person ?? null })
  }
  const given = assigned.filter(({ person }) => person !== null).length
  return show(args, { assigned }, () => `${given} handed over, ${assigned.length - given} taken back.\n`)
}

function split(word: string): { device: string; person: string | undefined } {
  const at = word.indexOf('=')
  if (at > 0) return { device: word.slice(0, at), person: word.slice(at + 1) || undefined }
  throw new BulkheadError('USAGE', `${word} is not DEVICE=PERSON.`, {
    remedy: 'Write for example lobu-kate-rimo=badoke-timaru, or lobu-kate-rimo= to take it back.',
  })
}
