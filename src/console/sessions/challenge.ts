import { createHash, randomBytes } from 'node:crypto'
import { BulkheadError } from '../../base/errors.ts'

const LIFE_MS = 5 * 60_000
const MOST = 10_000

/** Of its own kind and of this installation alone, so that a signature made to sign in never approves anything. Clients work it out themselves. */
export const sessionDigest = (challenge: string, genesisDigest: Buffer): Buffer =>
  createHash('sha256').update('bulkhead-session/v1\n').update(genesisDigest).update(challenge).digest()

/** Challenges that were handed out: each is taken once, within five minutes. Kept in memory: after a restart one signs in again. */
export function createChallenges() {
  const open = new Map<string, number>() // challenge to when it ends, oldest first
  return {
    issue(now: Date): string {
      for (const [challenge, ends] of open) {
        if (ends > now.getTime() && open.size < MOST) break
        open.delete(challenge)
      }
      const challenge = randomBytes(32).toString('base64url')
      open.set(challenge, now.getTime() + LIFE_MS)
      return challenge
    },
    take(challenge: string, now: Date) {
      const ends = open.get(challenge)
      open.delete(challenge)
      if (ends === undefined || ends <= now.getTime())
        throw new BulkheadError('EXPIRED', 'This sign-in is no longer open.', { remedy: 'Start it again.' })
    },
  }
}
