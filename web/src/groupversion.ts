import { call, type Group, type GroupLine, Refusal } from './api.ts'
import type { Installation } from './installation.ts'
import { sign } from './passkey.ts'
import { canonical, parseCanonical, statementDigest, toHex } from './statement.ts'

export type OpenGroup = { id: string; alias: string; version: number; members: string[]; previous: string; line: Group }
const TYPE = 'bulkhead-group/v1'
const now = () => Math.floor(Date.now() / 1000)

/** A group as its newest statement says it, and not as the server's list does; where its signer has left, nobody is in it. Throws Refusal. */
export async function openGroup(line: Group, genesisDigest: string): Promise<OpenGroup> {
  const { type, id, alias, version, members } = parseCanonical(line.statement)
  if (type !== TYPE || id !== line.group || alias !== line.alias || version !== line.version || !Array.isArray(members))
    throw new Refusal(
      'UNPROVEN',
      'The group’s statement is another one’s.',
      'Change nothing, and tell whoever runs this installation.',
    )
  const previous = toHex(await statementDigest(TYPE, genesisDigest, line.statement))
  return {
    id: String(id),
    alias: String(alias),
    version: Number(version),
    members: line.approved ? members.map(String) : [],
    previous,
    line,
  }
}

type Me = Installation & { me: string }

/** The first version of a group, or the next one, signed with one gesture and stored. Throws Refusal. */
export async function storeGroup(
  wanted: { alias: string; members: string[]; after?: OpenGroup },
  me: Me,
): Promise<GroupLine> {
  const { alias, members, after } = wanted
  const statement = canonical({
    type: TYPE,
    id: after?.id ?? crypto.randomUUID(),
    alias,
    version: after ? after.version + 1 : 0,
    previous: after?.previous ?? '',
    members: [...new Set(members)].sort(),
    at: now(),
  })
  const approval = await sign(await statementDigest(TYPE, me.genesisDigest, statement), me, me.me)
  return call<GroupLine>('/api/groups', { body: { statement, approval } })
}
