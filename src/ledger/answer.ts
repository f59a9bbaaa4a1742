import { BulkheadError } from '../base/errors.ts'
import { consistencyProof, inclusionProof } from '../wire/tlog/merkle.ts'
import type { Caller, Consistency, ControlPage, Inclusion, Ledger, Logged, LogName, Proofs } from './api.ts'
import type { Head } from './checkpoint.ts'
import type { DeliveryDesk } from './desk.ts'
import type { Sequence } from './sequence.ts'

/** The ledger as one caller sees it, in the same process; server.ts puts a socket before it. */
export function ledgerFor(caller: Caller, logs: Record<LogName, Sequence>, desk: DeliveryDesk): Ledger {
  return {
    append: async ({ log, entries }) => logs[log].append(caller, entries),
    checkpoint: async ({ log, cosigned }) => ({ checkpoint: (cosigned ? cosignedOf(logs[log]) : logs[log].head).note }),
    prove: async ({ log, index, size, cosigned }) =>
      cosigned ? proveCosigned(logs[log], index, size) : prove(logs[log], index, size),
    consistency: async ({ log, from, to }) => consistency(logs[log], from, to),
    entry: async ({ log, index }) => logged(logs[log], index),
    find: async ({ log, unique }) => {
      const index = logs[log].find(unique)
      return index === undefined ? null : logged(logs[log], index)
    },
    proofs: async ({ keys, cosigned = false }) => proofs(logs.main, keys, cosigned),
    control: async ({ from }) => controlFrom(logs.control, from),
    deliver: async ({ deliveries, answered }) => desk.deliver(deliveries, answered),
  }
}

function prove(log: Sequence, index: number, asked: number | undefined): Inclusion {
  const { leaf } = log.entry(index)
  const { head } = log
  const size = asked ?? head.size
  assertCovered(log, size)
  if (index >= size)
    throw asked === undefined ? tooEarly() : new BulkheadError('BAD_REQUEST', 'That tree ends before this entry.')
  const hashes = base64(inclusionProof(index, size, log.hashes))
  return { index, size, leafHash: leaf.toString('base64'), hashes, checkpoint: size === head.size ? head.note : null }
}

function proveCosigned(log: Sequence, index: number, asked: number | undefined): Inclusion {
  if (asked !== undefined) throw new BulkheadError('BAD_REQUEST', 'Ask for a size or for the cosigned one, not both.')
  const { leaf } = log.entry(index)
  const { size, note } = cosignedOf(log)
  if (index >= size) throw notCosigned('The last cosigned checkpoint does not cover this yet.')
  const hashes = base64(inclusionProof(index, size, log.hashes))
  return { index, size, leafHash: leaf.toString('base64'), hashes, checkpoint: note }
}

function cosignedOf(log: Sequence): Head {
  if (!log.cosigned) throw notCosigned('No witness has cosigned a checkpoint yet.')
  return log.cosigned
}

function consistency(log: Sequence, from: number, to: number): Consistency {
  assertCovered(log, to)
  return { from, to, hashes: base64(consistencyProof(from, to, log.hashes)) }
}

function logged(log: Sequence, index: number): Logged {
  const { bytes, leaf } = log.entry(index)
  return { index, entry: bytes.toString(), leafHash: leaf.toString('base64') }
}

/** All under one checkpoint: a new one where the newest does not cover one of them yet, or the last cosigned. */
function proofs(log: Sequence, keys: string[], cosigned: boolean): Proofs {
  const indexes = keys.map(key => log.find(key))
  const beyond = (size: number) => indexes.some(index => index !== undefined && index >= size)
  if (beyond(log.head.size)) log.publish()
  const { size, note } = cosigned ? cosignedOf(log) : log.head
  if (beyond(size)) throw notCosigned('The last cosigned checkpoint does not cover this yet.')
  const found = indexes.map(index =>
    index === undefined ? null : { index, hashes: base64(inclusionProof(index, size, log.hashes)) },
  )
  return { checkpoint: note, size, proofs: found }
}

const PAGE_BYTES = 2 * 1024 * 1024

function controlFrom(log: Sequence, from: number): ControlPage {
  const { note, size } = log.head
  const entries: string[] = []
  for (let index = from, bytes = 0; index < size && bytes < PAGE_BYTES; index++) {
    const entry = log.entry(index).bytes
    bytes += entry.length
    entries.push(entry.toString())
  }
  return { checkpoint: note, entries }
}

function assertCovered(log: Sequence, size: number) {
  if (size > log.head.size) throw tooEarly()
}

const base64 = (hashes: Buffer[]) => hashes.map(hash => hash.toString('base64'))
const tooEarly = () =>
  new BulkheadError('UNAVAILABLE', 'No checkpoint covers this yet.', { remedy: 'Ask again in 100 ms.' })
const notCosigned = (message: string) => new BulkheadError('UNAVAILABLE', message, { remedy: 'Ask again in a second.' })
