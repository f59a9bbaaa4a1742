import { setTimeout as wait } from 'node:timers/promises'
import { BulkheadError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { decodeDecimal } from '../wire/tlog/base64.ts'
import { verifierOf } from '../wire/tlog/cosignature.ts'
import { consistencyProof } from '../wire/tlog/merkle.ts'
import { decodeSignature, decodeVkey, type NoteSignature, splitNote, type Vkey } from '../wire/tlog/note.ts'
import { type Head, linesOf, withLines } from './checkpoint.ts'
import type { Sequence } from './sequence.ts'

/**
 * Submits heads to witnesses (C2SP tlog-witness), each log about once a second and all witnesses at once. An absent one stops nothing.
 * Only heads that are on disk and published are submitted, so no crash makes us show a witness two pasts. What a witness answers is
 * kept by form; where the operator gave its key, only what that key signed, and where the roster names witnesses, only what one of them did.
 */
const ROUND_MS = 1000
const RENEW_MS = 9000 // control's time is cosigned anew at least every 10 s
const WITNESS_MS = 2000
const MAX_PAUSE_MS = 10_000
const MAX_ANSWER = 16 * 1024
const MAX_LINES = 4 // of one witness: it may have several keys

export type Cosigner = { stop(): Promise<void> }
/** A key that a witness has signed with belongs to it: no other may bring lines in its name. */
type Owners = Map<string, string>
type Context = { owners: Owners; named: () => readonly string[]; stopping: AbortSignal; log: Log }
/** What we know of one witness about one log. `size`: what it remembers. Times are of performance.now(). */
type Link = {
  url: string
  vkey: Vkey | null
  size: number
  signed: { size: number; at: number } | null
  failures: number
  next: number
}

/** `witnesses`: submission prefixes, each with the witness's key behind `#` where it is known. `named`: the keys that the roster names now. */
export function startCosigner(options: {
  logs: Sequence[]
  witnesses: readonly string[]
  named: () => readonly string[]
  log: Log
}): Cosigner {
  const { logs, witnesses, named, log } = options
  const stopping = new AbortController()
  const owners: Owners = new Map(
    witnesses.map(linkTo).flatMap(({ url, vkey }) => (vkey ? [[`${vkey.keyId} ${vkey.name}`, url]] : [])),
  )
  const context = { owners, named, stopping: stopping.signal, log }
  const loops = witnesses.length === 0 ? [] : logs.map(sequence => loop(sequence, witnesses.map(linkTo)))

  async function loop(sequence: Sequence, links: Link[]) {
    while (!stopping.signal.aborted) {
      const started = performance.now()
      await round(sequence, links, context).catch(error => log.error('ledger.cosign', {}, error))
      const rest = Math.max(0, ROUND_MS - (performance.now() - started))
      await wait(rest, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }
  return {
    stop: async () => {
      stopping.abort()
      await Promise.all(loops)
    },
  }
}

function linkTo(witness: string): Link {
  const [url, key] = witness.split('#', 2) as [string, string?]
  return { url, vkey: key ? decodeVkey(key) : null, size: 0, signed: null, failures: 0, next: 0 }
}

/** One head to every witness that lacks it, and what they signed kept together. */
async function round(sequence: Sequence, links: Link[], context: Context) {
  const { head } = sequence
  const now = performance.now()
  const due = links.filter(link => now >= link.next && lacks(link, sequence, now))
  const brought = (await Promise.all(due.map(link => askOne(link, sequence, head, context)))).flat()
  if (brought.length === 0) return
  const before = sequence.cosigned?.size === head.size ? linesOf(sequence.cosigned) : []
  await sequence.cosign(withLines(head, [...before, ...brought]))
}

function lacks({ signed }: Link, { head, log }: Sequence, now: number): boolean {
  return signed?.size !== head.size || (log === 'control' && now - signed.at >= RENEW_MS)
}

/** Never throws: the others go on. */
async function askOne(link: Link, sequence: Sequence, head: Head, context: Context): Promise<NoteSignature[]> {
  const { stopping, log } = context
  try {
    const answer = await submit(link, sequence, head, AbortSignal.any([stopping, AbortSignal.timeout(WITNESS_MS)]))
    const lines = linesIn(answer, link, head, context)
    if (lines.length === 0) throw new BulkheadError('UNPROVEN', 'The witness answered no cosignature of its own.')
    if (link.failures > 0) log.info('ledger.witness.back', { witness: link.url, log: sequence.log })
    Object.assign(link, { signed: { size: head.size, at: performance.now() }, failures: 0 })
    return lines
  } catch (error) {
    // A witness that is away is said once; one that refuses, as often as it does: it may be right.
    if (link.failures === 0 || error instanceof BulkheadError)
      log.error('ledger.witness.away', { witness: link.url, log: sequence.log }, error)
    link.failures++
    link.next = performance.now() + Math.min(MAX_PAUSE_MS, ROUND_MS * 2 ** Math.min(link.failures, 10))
    return []
  }
}

/** The answer's signature lines. A witness that is further or less far than we thought is asked again from there. */
async function submit(link: Link, sequence: Sequence, head: Head, signal: AbortSignal): Promise<string> {
  let answer = await post(link.url, requestOf(sequence, link.size, head), signal)
  if (answer.status === 409) {
    link.size = decodeDecimal(answer.text.trimEnd())
    if (link.size > head.size)
      throw new BulkheadError(
        'CONFLICT',
        `The witness has seen ${link.size} entries of this log, which has ${head.size}.`,
        {
          remedy: 'This store was set back: restore it from a mirror.',
        },
      )
    answer = await post(link.url, requestOf(sequence, link.size, head), signal)
  }
  if (answer.status !== 200)
    throw new BulkheadError('UNAVAILABLE', `The witness answered ${answer.status}: ${answer.text.slice(0, 200)}`)
  link.size = head.size
  return answer.text
}

function requestOf(sequence: Sequence, from: number, head: Head): string {
  const proof = consistencyProof(Math.min(from, head.size), head.size, sequence.hashes)
  return [`old ${Math.min(from, head.size)}`, ...proof.map(hash => hash.toString('base64')), '', head.note].join('\n')
}

async function post(url: string, body: string, signal: AbortSignal): Promise<{ status: number; text: string }> {
  const headers = { 'content-type': 'text/plain; charset=utf-8' }
  const answer = await fetch(`${url}/add-checkpoint`, { method: 'POST', body, headers, signal, redirect: 'error' })
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of answer.body ?? []) {
    size += chunk.length
    if (size > MAX_ANSWER) throw new BulkheadError('LIMIT', 'The witness answers too much.')
    chunks.push(chunk)
  }
  return { status: answer.status, text: Buffer.concat(chunks).toString() }
}

function linesIn(answer: string, { url, vkey }: Link, head: Head, { owners, named }: Context): NoteSignature[] {
  const { text } = splitNote(head.note)
  const keys = vkey ? [vkey] : named().flatMap(keyIn)
  const isSignedBy = (line: NoteSignature) => (key: Vkey) =>
    line.keyId === key.keyId && line.name === key.name && verifierOf(key).verify(text, line.signature)
  const isItsOwn = (line: NoteSignature) => {
    if (keys.length > 0) return keys.some(isSignedBy(line))
    const id = `${line.keyId} ${line.name}`
    if (!owners.has(id)) owners.set(id, url)
    return owners.get(id) === url
  }
  return answer.split('\n', MAX_LINES).flatMap(decoded).filter(isItsOwn)
}

/** The roster holds lines; one that is no key names nobody. */
function keyIn(text: string): Vkey[] {
  try {
    return [decodeVkey(text)]
  } catch {
    return []
  }
}

function decoded(line: string): NoteSignature[] {
  try {
    return [decodeSignature(line)]
  } catch {
    return []
  }
}
