import { Contents } from './contents.ts'
import { damaged, type Place, readFrames, sealFrame } from './frame.ts'

/** All contents in pieces, which take effect together or not at all. */
export function sealSnapshot(contents: Contents, key: Buffer, place: Place, random: (size: number) => Buffer): Buffer {
  const frames: Buffer[] = []
  for (const body of contents.snapshot()) {
    frames.push(sealFrame(key, place, frames.length, body, random))
    body.fill(0) // it holds keys
  }
  return Buffer.concat(frames)
}

/** Throws INTERNAL where anything of it is missing or changed. */
export function readSnapshot(bytes: Buffer, key: Buffer, place: Place): Contents {
  const contents = new Contents()
  readFrames(key, place, bytes, body => contents.apply(body))
  if (!contents.whole) throw damaged(place)
  return contents
}
