import type { ImportOptions } from '../../../src/people/import.ts'
import { openWriterSession } from '../../../src/people/session.ts'
import { BATCH } from '../../../src/people/write.ts'
import { call, Refusal } from '../api.ts'
import { type Bytes, fromBase64 } from '../statement.ts'
import { currentlyOpened } from './opened.ts'
import { requireOpened } from './reading.ts'
import type { Answered, Asked, Read, Tasks } from './sealer.ts'
import sealerUrl from './sealer.ts?worker&url'
import { type Me, makingOf } from './unlock.ts'
import { releaseKeysFor } from './writing.ts'

/** The page's side of an import: asks the vault for keys, has the thread seal, and sends. */
type Task<T extends keyof Tasks> = (...given: Parameters<Tasks[T]>) => ReturnType<Tasks[T]>
export type Sealer = { [T in keyof Tasks]: Task<T> } & { stop(): void }

// The page's policy takes a script's address from here alone (require-trusted-types-for).
type Trusting = { createPolicy(name: string, rules: object): { createScriptURL(url: string): string } }
const { trustedTypes } = globalThis as { trustedTypes?: Trusting }
const trusted = trustedTypes?.createPolicy('bulkhead', { createScriptURL: (url: string) => url })

export function startSealer(): Sealer {
  const worker = new Worker(trusted?.createScriptURL(sealerUrl) ?? sealerUrl, { type: 'module' })
  const waiting = new Map<number, { settle(value: unknown): void; fail(error: Refusal): void }>()
  let number = 0
  worker.onmessage = ({ data }: MessageEvent<Answered>) => {
    const task = waiting.get(data.number)
    waiting.delete(data.number)
    if ('result' in data) task?.settle(data.result)
    else task?.fail(new Refusal(data.refused.code, data.refused.message, data.refused.remedy))
  }
  worker.onerror = () => {
    for (const { fail } of waiting.values())
      fail(new Refusal('NOT_SUPPORTED', 'This browser could not work on the table.', 'Use a current one.'))
    waiting.clear()
  }
  const ask = (task: keyof Tasks, given: unknown[]) =>
    new Promise((settle, fail) => {
      waiting.set(++number, { settle, fail })
      worker.postMessage({ number, task, given } satisfies Asked)
    })
  const asking = <T extends keyof Tasks>(task: T) => ((...given: unknown[]) => ask(task, given)) as unknown as Task<T>
  return {
    read: asking('read'),
    publicKey: asking('publicKey'),
    ids: asking('ids'),
    seal: asking('seal'),
    stop: () => worker.terminate(),
  }
}

export async function readTable(sealer: Sealer, file: File, options: ImportOptions): Promise<Read> {
  return sealer.read(new Uint8Array(await file.arrayBuffer()) as Bytes, options)
}

/** One gesture, then batch after batch: while one travels the next is sealed. Throws with how far it came; every batch before is whole. */
export async function importPeople(
  me: Me,
  sealer: Sealer,
  count: number,
  progress: (done: number) => void,
): Promise<void> {
  const opened = requireOpened()
  const { unit, key, genesisDigest } = opened
  const sign = async () => {
    throw new Error('The thread signs.')
  }
  const session = await openWriterSession(
    { unit: unit.id, key: { publicKey: await sealer.publicKey(), sign } },
    makingOf(me),
  )
  const { id, writer } = session
  const using = { unitKey: fromBase64(unit.publicKey), unitPrivateKey: key.privateKey, genesisDigest }
  let done = 0
  let sending: Promise<unknown> = Promise.resolve()
  const batches = Math.ceil(count / BATCH)
  const keysOf = async (batch: number) => releaseKeysFor(me, session, await sealer.ids(batch), opened)
  let next = keysOf(0)
  for (let batch = 0; batch < batches; batch++) {
    const releaseKeys = await next
    if (batch + 1 < batches) next = keysOf(batch + 1)
    next.catch(() => {}) // awaited at its turn
    if (currentlyOpened()?.key !== key)
      throw new Refusal('LOCKED', 'The directory was locked meanwhile.', stopped(done))
    const records = await sealer.seal(batch, { ...using, writer: { id, unit: unit.id, writer }, releaseKeys })
    await sending
    const size = records.length
    sending = call('/api/people/write', { body: { writer, records } }).then(() => {
      done += size
      progress(done)
    })
    sending.catch(() => {})
  }
  await sending
}

const stopped = (done: number) =>
  done === 0 ? 'Nothing was imported.' : `${done} people were imported before that. Import the others again.`
