import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { BulkheadError } from '../base/errors.ts'
import { openCheckpoint } from '../wire/tlog/checkpoint.ts'
import { verifierOf } from '../wire/tlog/cosignature.ts'
import { encodeVkey, type Vkey, vkeyOf } from '../wire/tlog/note.ts'
import type { Seen, WitnessState } from './witness.ts'

/**
 * A witness's folder: its key, and for each log the last checkpoint that it cosigned, as the log signed it. Whoever reads the key
 * signs as this witness; whoever puts an older checkpoint back makes it cosign a second past. So: never restore it from a backup.
 */
export type Identity = { name: string; key: KeyObject; vkey: string }

/** The steps of a write, so that a test can stop at each. */
export type Files = {
  /** All of `text` is on disk when it returns. */
  write(path: string, text: string): void
  rename(from: string, to: string): void
  syncFolder(path: string): void
}

export const files: Files = {
  write: (path, text) => {
    const file = openSync(path, 'w', 0o600)
    try {
      writeSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  },
  rename: renameSync,
  syncFolder: path => {
    const folder = openSync(path, 'r')
    try {
      fsyncSync(folder)
    } finally {
      closeSync(folder)
    }
  },
}

/** The file is there as a whole, and stays after a loss of power, or it is as before. */
function put({ write, rename, syncFolder }: Files, dir: string, name: string, text: string) {
  write(join(dir, `${name}.new`), text)
  rename(join(dir, `${name}.new`), join(dir, name))
  syncFolder(dir)
}

/** The folder's key, made where there is none. The name belongs to it for ever: it is part of the key's id. Throws CONFLICT for another. */
export function openIdentity(dir: string, wanted: string | undefined, steps = files): Identity {
  const path = join(dir, 'key.json')
  if (!existsSync(path)) {
    const { privateKey } = generateKeyPairSync('ed25519')
    const { keyId } = vkeyOf('new', 4, privateKey)
    const name = wanted ?? `witness-${keyId.toString(16).padStart(8, '0')}`
    vkeyOf(name, 4, privateKey) // refuses a name that cannot stand in a note
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' })
    put(steps, dir, 'key.json', `${JSON.stringify({ name, key }, null, 2)}\n`)
  }
  const kept = JSON.parse(readFileSync(path, 'utf8')) as { name: string; key: string }
  if (wanted !== undefined && wanted !== kept.name)
    throw new BulkheadError('CONFLICT', `The witness in ${dir} is called ${kept.name}.`, {
      remedy: 'Leave --name out, or give a new witness a folder of its own.',
    })
  const key = createPrivateKey(kept.key)
  return { name: kept.name, key, vkey: encodeVkey(vkeyOf(kept.name, 4, key)) }
}

/** Reads what was seen of these logs. Throws rather than start again from nothing where a file is there and does not hold. */
export function openState(dir: string, logs: Vkey[], steps = files): WitnessState {
  const seen = new Map<string, Seen>()
  for (const vkey of logs) {
    const path = join(dir, fileOf(vkey.name))
    if (existsSync(path)) seen.set(vkey.name, readSeen(path, vkey))
  }
  return {
    read: origin => seen.get(origin),
    write: (origin, next) => {
      put(steps, dir, fileOf(origin), next.note)
      seen.set(origin, next)
    },
    convict: (origin, note) => {
      const name = `${fileOf(origin)}.forked`
      if (!existsSync(join(dir, name))) put(steps, dir, name, note) // one is enough, and strangers must not fill the disk
    },
  }
}

function readSeen(path: string, vkey: Vkey): Seen {
  const note = readFileSync(path, 'utf8')
  try {
    const { size, root } = openCheckpoint(note, vkey.name, verifierOf(vkey))
    return { size, root, note }
  } catch (cause) {
    throw new BulkheadError('UNPROVEN', `What this witness remembers of ${vkey.name} does not hold: ${path}.`, {
      remedy: 'Do not delete it: begin a new witness in another folder, and tell those who trust this one.',
      cause,
    })
  }
}

/** An origin may hold slashes, dots and anything else. */
const fileOf = (origin: string) => `log-${createHash('sha256').update(origin).digest('hex').slice(0, 32)}`
