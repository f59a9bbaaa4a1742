import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeFrame, type Frame, frameReader } from './frame.ts'

const MOST = 1024

function collect(chunks: readonly Buffer[], most = MOST) {
  const frames: Frame[] = []
  const read = frameReader(frame => frames.push(frame), most)
  for (const chunk of chunks) read(chunk)
  return frames
}

const raw = (header: string, { length, headerLength }: { length?: number; headerLength?: number } = {}) => {
  const text = Buffer.from(header)
  const head = Buffer.alloc(8)
  head.writeUInt32BE(length ?? 4 + text.length, 0)
  head.writeUInt32BE(headerLength ?? text.length, 4)
  return Buffer.concat([head, text])
}

test('frames come out as they went in, wherever the stream is cut', () => {
  const message = fc.record({ header: fc.jsonValue(), bytes: fc.uint8Array({ maxLength: 200 }) })
  const cuts = fc.array(fc.nat(), { maxLength: 20 })
  fc.assert(
    fc.property(fc.array(message, { maxLength: 5 }), cuts, (messages, at) => {
      const stream = Buffer.concat(messages.map(({ header, bytes }) => encodeFrame(header, bytes)))
      const places = [0, ...at.map(place => place % (stream.length + 1)).sort((a, b) => a - b), stream.length]
      const frames = collect(
        places.slice(1).map((end, index) => stream.subarray(places[index], end)),
        1 << 20,
      )
      const expected = messages.map(({ header, bytes }) => ({
        header: JSON.parse(JSON.stringify(header)),
        bytes: Buffer.from(bytes),
      }))
      assert.deepEqual(frames, expected)
    }),
  )
})

test('a frame may be as long as allowed and not one byte longer, and says so before its body is there', () => {
  const fits = encodeFrame('', Buffer.alloc(MOST - 4 - 2))
  assert.equal(collect([fits]).length, 1)
  const read = frameReader(() => assert.fail('a frame'), MOST)
  const long = Buffer.alloc(4)
  long.writeUInt32BE(MOST + 1)
  assert.throws(() => read(long), { code: 'LIMIT' })
})

test('a frame too short for its own header, with a header longer than itself, or one that is not JSON, is refused', () => {
  const code = (chunk: Buffer, expected: string) => assert.throws(() => collect([chunk]), { code: expected })
  code(raw('{}', { length: 3 }), 'LIMIT')
  code(raw('{}', { length: 0 }), 'LIMIT')
  code(raw('{}', { headerLength: 3 }), 'MALFORMED')
  code(raw('{}', { headerLength: 0xffffffff }), 'MALFORMED')
  code(raw('{"a":'), 'MALFORMED')
  code(raw(''), 'MALFORMED')
})

test('a large frame that comes in small pieces costs one join, not one for each piece', () => {
  const stream = encodeFrame({}, Buffer.alloc(4 << 20))
  const pieces = Array.from({ length: Math.ceil(stream.length / 1024) }, (_, at) =>
    stream.subarray(at * 1024, (at + 1) * 1024),
  )
  const concat = Buffer.concat
  let joined = 0
  Buffer.concat = (list, length) => {
    joined++
    return concat(list, length)
  }
  try {
    assert.equal(collect(pieces, 8 << 20)[0]!.bytes.length, 4 << 20)
  } finally {
    Buffer.concat = concat
  }
  assert.ok(joined <= 2, `${joined} joins`)
})

test('what stood before a bad frame was read', () => {
  const frames: unknown[] = []
  const read = frameReader(({ header }) => frames.push(header), MOST)
  assert.throws(() => read(Buffer.concat([encodeFrame(1), encodeFrame(2), raw('x')])), { code: 'MALFORMED' })
  assert.deepEqual(frames, [1, 2])
})
