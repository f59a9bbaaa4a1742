import { join } from 'node:path'

// The names of the keyring's files.

const NAME = /^([0-9]{8})\.(key|snapshot|segment)(\.new)?$/
type Part = 'key' | 'snapshot' | 'segment'
/** A file of ours; `part` is undefined where it was never finished. */
export type File = { name: string; epoch: number; part: Part | undefined }
export const pathOf = (dir: string, epoch: number, part: Part) => join(dir, `${String(epoch).padStart(8, '0')}.${part}`)
export function fileOf(name: string): File | undefined {
  const [, epoch, part, unfinished] = NAME.exec(name) ?? []
  return epoch === undefined ? undefined : { name, epoch: Number(epoch), part: unfinished ? undefined : (part as Part) }
}
export const keysFirst = (a: File, b: File) => Number(b.part === 'key') - Number(a.part === 'key')
