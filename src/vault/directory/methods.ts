import { RpcReply } from '../../base/rpc.ts'
import { approvalShape } from '../../trust/approval.ts'
import { KINDS, MOST_RECORDS } from '../../trust/directory.ts'
import { type Check, listOf, object, oneOf, text, uuid } from '../../trust/shape.ts'
import type { VaultMethods } from '../api.ts'
import { joinParts } from '../parts.ts'
import { eraseRecords } from './erase.ts'
import { type Needs, releaseKeys, writeRecords } from './records.ts'
import { createRelease } from './release.ts'

type Name = 'releaseKeys' | 'writeRecords' | 'release' | 'erase' | 'recordStates'
type Methods = {
  [M in Name]: {
    params: Check<VaultMethods[M]['params']>
    run(params: VaultMethods[M]['params'], bytes: Buffer): unknown
  }
}

const statement = text(/^[^\0]{1,65536}$/, 'a statement')
const signature = text(/^[A-Za-z0-9+/]{86}==$/, 'an Ed25519 signature in base64')
const signed = object({ statement, approval: approvalShape })
const places = listOf(object({ kind: oneOf(...KINDS), id: uuid }), MOST_RECORDS)

/** The vault's methods of the sealed directory. */
export function directoryMethods(needs: Needs): Methods {
  const release = createRelease(needs)
  return {
    releaseKeys: { params: object({ writer: signed, records: places }), run: ask => releaseKeys(ask, needs) },
    writeRecords: {
      params: object({ writer: signed, records: listOf(object({ statement, signature }), MOST_RECORDS) }),
      async run(ask) {
        await writeRecords(ask, needs)
        return {}
      },
    },
    release: {
      params: object({ grant: signed, request: statement, signature }),
      async run(ask, bytes) {
        const { result, inner } = await release(ask, bytes)
        return new RpcReply(result, joinParts(inner))
      },
    },
    erase: { params: object({ erasure: signed }), run: ask => eraseRecords(ask, needs) },
    recordStates: {
      params: object({ records: places }),
      run: ({ records }) => ({ versions: records.map(place => needs.keyring.find(place)?.version ?? null) }),
    },
  }
}
