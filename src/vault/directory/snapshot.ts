import { Contents } from './contents.ts'
import { damaged, type Place, readFrames, sealFrame } from './frame.ts'

/** All contents in pieces, which take effect together or not at all. */
export function sealSnapshot(contents: Contents, key: Buffer, place: Place, random: (size: number) => Buffer): Buffer {
  return Buffer.concat([...contents.snapshot()].map((body, index) => sealFrame(key, place, index, body, random)))
}

/** Throws INTERNAL where anything of it is missing or changed. */
export function readSnapshot(bytes: Buffer, key: Buffer, place: Place): Contents {
  const contents = new Contents()
  readFrames(key, place, bytes, body => contents.apply(body))
  if (!contents.whole) throw damaged(place)
  return contents
}
