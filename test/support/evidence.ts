import { sign } from 'node:crypto'
import type { Evidence, Gate, LoadedOrder } from '../../src/edge/turnstile.ts'
import { evidenceKeys, openPermits } from '../../src/edge/turnstile.ts'
import type { Permits as Granted } from '../../src/ledger/api.ts'
import { PERMITS_PREFIX } from '../../src/ledger/api.ts'
import { canonical } from '../../src/trust/canonical.ts'
import { classOf, type OrderClass } from '../../src/trust/class.ts'
import { approvalLeaf, orderLeaf } from '../../src/trust/leaves.ts'
import { decodeOrder, decodeStanding, orderDigest, standingDigest } from '../../src/trust/order.ts'
import { decodeTemplate } from '../../src/trust/template.ts'
import { PROFILE_IDENTIFIER } from '../../src/wire/apple/enrolment.ts'
import { encodeCheckpoint } from '../../src/wire/tlog/checkpoint.ts'
import { inclusionProof, leafHash, nodeHash, treeRoot } from '../../src/wire/tlog/merkle.ts'
import { type NoteSigner, noteSigner, signNote } from '../../src/wire/tlog/note.ts'
import type { TestRoster } from './roster.ts'

/** A main log in memory, signed by the roster's own key. */
export function testLog({ ledger, trusted }: Pick<TestRoster, 'ledger' | 'trusted'>) {
  const entries: string[] = []
  const read = (level: number, index: number): Buffer =>
    level === 0
      ? leafHash(Buffer.from(entries[index]!))
      : nodeHash(read(level - 1, 2 * index), read(level - 1, 2 * index + 1))
  const origin = `${trusted.roster.name}/main`

  return {
    entries,
    add: (leaf: object) => void entries.push(canonical(leaf)),

    /** The entries that the console makes of an approved order. */
    log(loaded: LoadedOrder, fields: { class?: OrderClass } = {}) {
      const standing = loaded.kind === 'standing'
      const { id } = (standing ? decodeStanding : decodeOrder)(loaded.statement)
      const digest = (standing ? standingDigest : orderDigest)(loaded.statement, trusted).toString('hex')
      for (const approval of loaded.approvals) {
        const member = trusted.passkeys.get(approval.credentialId)?.member.id
        if (member !== undefined) this.add(approvalLeaf(digest, member, approval))
      }
      this.add(orderLeaf({ order: id, kind: loaded.kind, class: classIn(loaded), digest, ...fields }))
      return this
    },

    /** What the ledger proves of these keys. `also`: witnesses that cosigned. */
    proofs(keys: string[], also: NoteSigner[] = []): Evidence {
      const root = treeRoot(entries.length, read)
      const checkpoint = signNote(encodeCheckpoint({ origin, size: entries.length, root }), [
        noteSigner(origin, ledger.main),
        ...also,
      ])
      const proofs = keys.map(key => {
        const index = entries.findIndex(entry => entry.includes(`"unique":"${key}"`))
        if (index < 0) return null
        return { index, hashes: inclusionProof(index, entries.length, read).map(hash => hash.toString('base64')) }
      })
      return { checkpoint, proofs }
    },
    evidence(loaded: LoadedOrder, also: NoteSigner[] = []): Evidence {
      return this.proofs(evidenceKeys(loaded, trusted), also)
    },

    /** The ledger's signed word that these commands may go out. */
    grant(commands: string[], time: number): Pick<Granted, 'statement' | 'signature'> {
      const statement = canonical({ commands, time })
      return {
        statement,
        signature: sign(null, Buffer.from(`${PERMITS_PREFIX}${statement}`), ledger.main).toString('base64'),
      }
    },
    permits(commands: string[], time: number) {
      const { statement, signature } = this.grant(commands, time)
      return openPermits(statement, signature, time, trusted)
    },
  }
}

/** The class as it is worked out; of bodies that do not decode, any. */
function classIn({ body }: LoadedOrder): OrderClass {
  try {
    return classOf(decodeTemplate(body), { mdmProfile: PROFILE_IDENTIFIER })
  } catch {
    return 'destroy'
  }
}

export const openGate = (now: number): Gate => ({ now, fresh: true, frozen: false, isCancelled: () => false })
