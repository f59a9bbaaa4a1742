import { BulkheadError } from './errors.ts'

/**
 * One message between two of our processes: a JSON header and any bytes behind it.
 * On the wire: u32be length of all that follows, u32be length of the header, header (UTF-8 JSON), bytes.
 */
export type Frame = { header: unknown; bytes: Buffer }

const empty = Buffer.alloc(0)

export function encodeFrame(header: unknown, bytes: Uint8Array = empty): Buffer {
  const text = JSON.stringify(header)
  const headerLength = Buffer.byteLength(text)
  const frame = Buffer.allocUnsafe(8 + headerLength + bytes.length)
  frame.writeUInt32BE(4 + headerLength + bytes.length, 0)
  frame.writeUInt32BE(headerLength, 4)
  frame.write(text, 8)
  frame.set(bytes, 8 + headerLength)
  return frame
}

/** Cuts a byte stream into frames. A frame over `maxBytes` or with a header that is no JSON throws: the peer is then not to be trusted further. */
export function frameReader(onFrame: (frame: Frame) => void, maxBytes: number): (chunk: Buffer | string) => void {
  let waiting: Buffer[] = []
  let size = 0
  let wanted = 4
  return data => {
    const chunk = data as Buffer // a string only for a socket with an encoding set, and none of ours has one
    waiting.push(chunk)
    size += chunk.length
    if (size < wanted) return // joining only when a frame is whole keeps a large frame linear
    let joined = waiting.length === 1 ? chunk : Buffer.concat(waiting)
    let offset = 0
    while (joined.length - offset >= 4) {
      const length = joined.readUInt32BE(offset)
      if (length < 4 || length > maxBytes)
        throw new BulkheadError('LIMIT', `A frame of ${length} bytes, at most ${maxBytes} are read.`)
      wanted = length + 4
      if (joined.length - offset < wanted) break
      onFrame(decodeFrame(joined.subarray(offset + 4, offset + wanted)))
      offset += wanted
      wanted = 4
    }
    joined = joined.subarray(offset)
    size = joined.length
    waiting = size === 0 ? [] : [joined]
  }
}

function decodeFrame(body: Buffer): Frame {
  const headerLength = body.readUInt32BE(0)
  if (headerLength > body.length - 4)
    throw new BulkheadError('MALFORMED', 'A frame whose header is longer than itself.')
  try {
    return { header: JSON.parse(body.toString('utf8', 4, 4 + headerLength)), bytes: body.subarray(4 + headerLength) }
  } catch (cause) {
    throw new BulkheadError('MALFORMED', 'A frame whose header is not JSON.', { cause })
  }
}
