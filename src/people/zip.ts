import { BulkheadError } from '../base/errors.ts'
import type { Bytes } from './bytes.ts'

/**
 * The files in a ZIP archive (APPNOTE 6.3), by its directory, inflated by the platform's own DecompressionStream. Plain archives only: no
 * encryption, no ZIP64, no parts. However much an archive says or turns out to hold, at most `most` bytes are made of it.
 */
export type Archive = { read(path: string): Promise<Bytes | undefined> }

const END = 0x06054b50
const ENTRY = 0x02014b50
const LOCAL = 0x04034b50
const MOST_ENTRIES = 1000
const damaged = (what: string) => new BulkheadError('MALFORMED', `The file is no sound XLSX file: ${what}.`)

type Entry = { method: number; packed: number; size: number; at: number }

export function openArchive(bytes: Uint8Array, most: number): Archive {
  const file = new Uint8Array(bytes)
  const view = new DataView(file.buffer)
  const entries = readDirectory(view)
  let left = most
  return {
    async read(path) {
      const entry = entries.get(path)
      if (!entry) return undefined
      const made = await unpack(file, view, entry, left)
      left -= made.length
      return made
    },
  }
}

function readDirectory(view: DataView): Map<string, Entry> {
  const entries = new Map<string, Entry>()
  try {
    const end = findEnd(view)
    const count = view.getUint16(end + 10, true)
    if (count > MOST_ENTRIES) throw new BulkheadError('LIMIT', 'The XLSX file has too many parts.')
    let at = view.getUint32(end + 16, true)
    for (let entry = 0; entry < count; entry++) {
      if (view.getUint32(at, true) !== ENTRY) throw damaged('its directory is broken')
      const [nameLength, extra, comment] = [28, 30, 32].map(place => view.getUint16(at + place, true))
      const name = new TextDecoder().decode(new Uint8Array(view.buffer, at + 46, nameLength))
      if (view.getUint16(at + 8, true) & 1) throw damaged('it is encrypted')
      if (entries.has(name)) throw damaged('a part stands in it twice')
      const [packed, size, local] = [20, 24, 42].map(place => view.getUint32(at + place, true))
      entries.set(name, { method: view.getUint16(at + 10, true), packed: packed!, size: size!, at: local! })
      at += 46 + nameLength! + extra! + comment!
    }
  } catch (cause) {
    if (cause instanceof RangeError) throw damaged('it is cut short')
    throw cause
  }
  return entries
}

function findEnd(view: DataView): number {
  for (let at = view.byteLength - 22; at >= Math.max(0, view.byteLength - 22 - 0xffff); at--)
    if (view.getUint32(at, true) === END) return at
  throw damaged('it has no directory')
}

async function unpack(file: Bytes, view: DataView<ArrayBuffer>, entry: Entry, most: number): Promise<Bytes> {
  const { at, packed, method, size } = entry
  if (size > most) throw new BulkheadError('LIMIT', 'The XLSX file unpacks to far too much.')
  if (at + 30 > file.length || view.getUint32(at, true) !== LOCAL) throw damaged('a part is missing')
  const from = at + 30 + view.getUint16(at + 26, true) + view.getUint16(at + 28, true)
  if (from + packed > file.length) throw damaged('a part is cut short')
  const data = file.subarray(from, from + packed)
  if (method === 0) return data.slice()
  if (method !== 8) throw damaged('a part is packed in an unknown way')
  return inflate(data, Math.min(most, size))
}

/** Stops as soon as there is more than the archive's own directory said. */
async function inflate(data: Bytes, most: number): Promise<Bytes> {
  const reader = new Blob([data]).stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      length += value.length
      if (length > most) throw new BulkheadError('LIMIT', 'The XLSX file unpacks to more than it says.')
      chunks.push(value)
    }
  } catch (cause) {
    await reader.cancel().catch(() => {})
    if (cause instanceof BulkheadError) throw cause
    throw damaged('a part does not unpack')
  }
  const whole = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}
