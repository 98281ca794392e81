import { constants } from 'node:buffer'
import { test } from 'tap'
import { FrameReader, frameHead } from '../../../lib/dask/protocol/frames.js'
import { survives } from '../../fixtures/fuzz.js'
import { Random } from '../../fixtures/random.js'

/** What is sent of a message. */
function sent(...frames: readonly (string | Uint8Array)[]): Buffer {
  const parts = frames.map(frame => Buffer.from(frame as string))
  return Buffer.concat([frameHead(parts), ...parts])
}

/** A message that only says how long it will be. */
function announced(...lengths: readonly (number | bigint)[]): Buffer {
  const head = Buffer.alloc(16 + 8 * lengths.length)
  head.writeBigUInt64LE(BigInt(lengths.length), 8)
  lengths.forEach((length, index) => {
    head.writeBigUInt64LE(BigInt(length), 16 + 8 * index)
  })
  return head
}

function readAll(chunks: Iterable<Buffer>): string[][] {
  const messages: string[][] = []
  const reader = new FrameReader(frames => messages.push(frames.map(String)))
  for (const chunk of chunks) reader.feed(chunk)
  return messages
}

test('what precedes a message says how much follows', async t => {
  const head = frameHead([Buffer.alloc(3), Buffer.alloc(0), Buffer.alloc(5)])
  const numbers = [0, 8, 16, 24, 32].map(at => Number(head.readBigUInt64LE(at)))
  t.strictSame(numbers, [32 + 8, 3, 3, 0, 5])
})

test('messages are found however the bytes are cut', async t => {
  const messages = [['a'], ['one', '', 'three'], [''], ['x'.repeat(300), 'y']]
  const stream = Buffer.concat(messages.map(frames => sent(...frames)))
  t.strictSame(readAll([stream]), messages, 'all at once')
  for (let size = 1; size <= stream.length; size++) {
    const chunks = Array.from({ length: Math.ceil(stream.length / size) }, (_, n) =>
      stream.subarray(n * size, (n + 1) * size),
    )
    if (JSON.stringify(readAll(chunks)) !== JSON.stringify(messages)) t.fail(`in pieces of ${size}`)
  }
  for (let at = 0; at <= stream.length; at++) {
    const found = readAll([stream.subarray(0, at), stream.subarray(at)])
    if (JSON.stringify(found) !== JSON.stringify(messages)) t.fail(`in two pieces, cut at ${at}`)
  }
})

test('the length in front is not needed: some senders leave later frames out of it', async t => {
  const stream = sent('message', 'payload')
  stream.writeBigUInt64LE(7n, 0)
  t.strictSame(readAll([stream, sent('next')]), [['message', 'payload'], ['next']])
})

test('a message of no frames is one', async t => {
  t.strictSame(readAll([announced(), sent('x')]), [[], ['x']])
})

test('a large message comes in one piece of memory, whatever the chunks', async t => {
  const large = Buffer.alloc(20_000_000, 'abcdefg')
  const stream = sent('head', large.subarray(0, 12_000_000), large.subarray(12_000_000))
  let frames: Buffer[] = []
  const reader = new FrameReader(found => {
    frames = found
  })
  for (let at = 0; at < stream.length; at += 65_536) reader.feed(stream.subarray(at, at + 65_536))
  t.strictSame(
    frames.map(frame => frame.length),
    [4, 12_000_000, 8_000_000],
  )
  t.ok(Buffer.concat(frames.slice(1)).equals(large))
  t.equal(frames[1]!.buffer, frames[2]!.buffer)
  t.equal(frames[1]!.byteOffset + 12_000_000, frames[2]!.byteOffset)
})

test('small payloads do not keep the chunk that they came in', async t => {
  let frames: Buffer[] = []
  const chunk = Buffer.concat([sent('message', 'payload'), Buffer.alloc(60_000)])
  new FrameReader(found => {
    frames = found
  }).feed(chunk.subarray(0, chunk.length - 60_000))
  t.not(frames[1]!.buffer, chunk.buffer)
})

const refusals: [what: string, bytes: Buffer, message: RegExp][] = [
  ['more frames than anybody sends', Buffer.from('GET / HTTP/1.1\r\n'), /has \d+ frames, more than 67108864/],
  ['a message of 2^63 bytes', announced(2n ** 63n), /more than 68719476736/],
  ['frames that together are too much', announced(40 * 2 ** 30, 40 * 2 ** 30), /more than 68719476736/],
]

for (const [what, bytes, message] of refusals) {
  test(`${what} is refused`, async t => {
    t.throws(() => readAll([bytes]), { code: 'DASK_PROTOCOL', message })
  })
}

test('a frame that Node cannot hold is refused', async t => {
  const limits = { maxFrames: 10, maxBytes: Number.POSITIVE_INFINITY }
  const reader = new FrameReader(() => {}, limits)
  t.throws(() => reader.feed(announced(constants.MAX_LENGTH + 1)), {
    code: 'DASK_PROTOCOL',
    message: /more than this Node/,
  })
})

test('limits can be narrower', async t => {
  const reader = new FrameReader(() => {}, { maxFrames: 2, maxBytes: 10 })
  reader.feed(sent('12345', '67890'))
  t.throws(() => reader.feed(sent('12345', '678901')), { code: 'DASK_PROTOCOL', message: /11 bytes, more than 10/ })
})

test('what is announced takes no memory before it comes', async t => {
  const before = process.memoryUsage()
  const readers = Array.from({ length: 20 }, () => new FrameReader(() => {}))
  for (const reader of readers) {
    reader.feed(announced(3 * 2 ** 30))
    for (let chunk = 0; chunk < 16; chunk++) reader.feed(Buffer.alloc(65_536))
  }
  const after = process.memoryUsage()
  // A MiB has come to each.
  t.ok(after.rss - before.rss < 100 * 2 ** 20, `${(after.rss - before.rss) / 2 ** 20} MiB more`)
  t.ok(after.arrayBuffers - before.arrayBuffers < 20 * 20 * 2 ** 20, 'nor are there promises of it')
})

test('damaged streams give messages or are refused', async t => {
  const stream = Buffer.concat([sent('message', 'payload', ''), sent('second'), sent('third', 'x'.repeat(500))])
  const random = new Random(4)
  survives(
    t,
    [stream],
    bytes => {
      const reader = new FrameReader(() => {})
      for (let at = 0; at < bytes.length; ) reader.feed(bytes.subarray(at, (at += 1 + random.below(100))))
    },
    { count: 10_000, seed: 31 },
  )
})
