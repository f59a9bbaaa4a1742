import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { dataPath } from '../../src/cli/home.ts'
import type { Contents } from '../../src/vault/directory/contents.ts'
import { openDisk } from '../../src/vault/directory/disk.ts'
import { fileOf, pathOf } from '../../src/vault/directory/epoch.ts'
import { readFrames } from '../../src/vault/directory/frame.ts'
import type { Row } from '../../src/vault/directory/rows.ts'
import { readSnapshot } from '../../src/vault/directory/snapshot.ts'

// The vault's keyring, opened by whoever holds its folder: a captured vault, or a copy of it.

export const keyringPath = (home: string) => join(dataPath(home, 'vault'), 'keyring')

export type Held = { epoch: number; key: Buffer; contents: Contents; find(id: string): Row | undefined; keys: Buffer[] }

/** Throws where it cannot be opened: no key, or another one. */
export function readKeyring(dir: string): Held {
  const files = openDisk()
    .list(dir)
    .flatMap(name => fileOf(name) ?? [])
  const epoch = Math.max(...files.filter(({ part }) => part === 'snapshot').map(file => file.epoch))
  const key = readFileSync(pathOf(dir, epoch, 'key'))
  const contents = readSnapshot(readFileSync(pathOf(dir, epoch, 'snapshot')), key, { file: 'snapshot', epoch })
  const segment = openDisk().read(pathOf(dir, epoch, 'segment')) ?? Buffer.alloc(0)
  readFrames(key, { file: 'segment', epoch }, segment, body => contents.apply(body))
  const places = [...contents.rows.madeBefore(Infinity)]
  const find = (id: string) => contents.rows.find({ kind: 'person', id })
  return { epoch, key, contents, find, keys: places.map(place => contents.rows.find(place)!.key) }
}
