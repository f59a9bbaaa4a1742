import { useQuery } from '@tanstack/react-query'
import { useEffect } from 'react'
import { type Standing, standingOf } from '../../src/trust/standing.ts'
import { type Approval, call, type Proposal } from './api.ts'
import { follow } from './follow.ts'
import type { Installation } from './installation.ts'
import { sign } from './passkey.ts'
import { renewInstallation, useInstallation } from './session.ts'
import { canonical, nonce, parseCanonical, type StatementType, statementDigest } from './statement.ts'

const REFRESH_MS = 3_000
const now = () => Math.floor(Date.now() / 1000)

/** What holds now, worked out here from the ledger's entries; again and again, since a freeze must be seen at once. A new version of the roster is taken in. */
export function useStanding() {
  const { version, genesis, genesisDigest } = useInstallation()
  const query = useQuery({
    queryKey: ['standing', genesisDigest],
    queryFn: async () => standingOf(await follow({ genesis, genesisDigest }), now()),
    refetchInterval: REFRESH_MS,
  })
  const newest = query.data?.version
  useEffect(() => {
    if (newest !== undefined && newest > version) renewInstallation().catch(() => {})
  }, [newest, version])
  return query
}

type Me = Installation & { me: string }

/** One gesture over this very statement. */
async function approvalOf(kind: Proposal['kind'] | 'freeze', statement: string, me: Me): Promise<Approval> {
  const type: StatementType = `bulkhead-${kind}/v1`
  return sign(await statementDigest(type, me.genesisDigest, statement), me, me.me)
}

export async function freeze(me: Me): Promise<unknown> {
  const statement = canonical({ type: 'bulkhead-freeze/v1', at: now(), nonce: nonce() })
  return call('/api/freeze', { body: { statement, approval: await approvalOf('freeze', statement, me) } })
}

/** Signs what is proposed, and hands it in. A proposal that is new is made by it. */
export async function approveStatement(kind: Proposal['kind'], statement: string, me: Me): Promise<Proposal> {
  return call('/api/proposals', { body: { kind, statement, approval: await approvalOf(kind, statement, me) } })
}

export const cancelStatement = (order: string) =>
  canonical({ type: 'bulkhead-cancel/v1', order, at: now(), nonce: nonce() })

/** An open one that ends every freeze that stands, or a new one. */
export function thawStatement({ frozen, size }: Standing, proposals: Proposal[]): string {
  const newest = Math.max(...frozen.map(({ index }) => index))
  const open = proposals.find(
    one => one.kind === 'thaw' && one.state === 'open' && Number(parseCanonical(one.statement).upTo) > newest,
  )
  return open?.statement ?? canonical({ type: 'bulkhead-thaw/v1', upTo: size, at: now(), nonce: nonce() })
}
