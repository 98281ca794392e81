import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import tap, { test } from 'tap'
import { decompress } from '../../../lib/dask/protocol/compression.js'
import { survives } from '../../fixtures/fuzz.js'
import { root } from '../../fixtures/project.js'

tap.setTimeout(240_000)

/** What Python's lz4, zstandard, python-snappy and zlib made of the inputs below. */
const compressed = JSON.parse(readFileSync(join(root, 'test/fixtures/dask/compressed.json'), 'utf8')) as Record<
  string,
  Record<string, string>
>

const inputs: Record<string, Buffer> = {
  nothing: Buffer.alloc(0),
  zeros: Buffer.alloc(100_000),
  pattern: Buffer.from('abcdefghijk'.repeat(20_000)).subarray(0, 200_000),
  words: generated(3_000, Buffer.from('ab ')),
  noise: generated(700, bytes256()),
  mixed: Buffer.concat([
    generated(300, bytes256()),
    Buffer.alloc(5_000),
    generated(2_000, Buffer.from('xyz')),
    Buffer.alloc(70_000, '-'),
  ]),
}

function generated(size: number, alphabet: Buffer): Buffer {
  let state = 1n
  const next = () => {
    state = (state * 1_103_515_245n + 12_345n) & 0x7fff_ffffn
    return alphabet[Number((state >> 16n) % BigInt(alphabet.length))]!
  }
  return Buffer.from(Array.from({ length: size }, next))
}

function bytes256(): Buffer {
  return Buffer.from(Array.from({ length: 256 }, (_, index) => index))
}

for (const [way, samples] of Object.entries(compressed)) {
  const algorithm = way.split(' ')[0]
  const frames = Object.entries(samples).map(([name, sample]) => [name, Buffer.from(sample, 'base64')] as const)

  test(`what Python compresses by ${way} is read`, async t => {
    for (const [name, frame] of frames) {
      const [read] = decompress({ compression: [algorithm] }, [frame])
      t.ok(Buffer.from(read!).equals(inputs[name]!), name)
    }
  })

  test(`damaged frames of ${way} are read or refused`, async t => {
    const small = frames.map(([, frame]) => frame).filter(frame => frame.length < 5_000)
    survives(t, small, frame => decompress({ compression: [algorithm] }, [frame]), { count: 1_500, seed: 51 })
  })
}

test('frames are read each by its own compression', async t => {
  const frames = [Buffer.from('as it is'), deflateSync('deflated'), Buffer.from('beyond the list')]
  const read = decompress({ compression: [null, 'zlib'] }, frames)
  t.strictSame(read.map(String), ['as it is', 'deflated', 'beyond the list'])
  t.equal(read[0], frames[0])
})

test('frames that nobody compressed are given as they are', async t => {
  const frames = [Buffer.from('x')]
  t.equal(decompress({}, frames), frames)
  t.equal(decompress({ compression: [null] }, frames), frames)
})

test('a compression that is not known is named, with what to do', async t => {
  const unknown = { code: 'DASK_PROTOCOL', message: /compressed by blosc.*distributed\.comm\.compression/ }
  t.throws(() => decompress({ compression: ['blosc'] }, [Buffer.from('x')]), unknown)
  t.throws(() => decompress({ compression: [5] }, [Buffer.from('x')]), { code: 'DASK_PROTOCOL', message: /not a name/ })
})

const bombs: Record<string, Buffer> = {
  lz4: Buffer.from([0xff, 0xff, 0xff, 0x3f, 0x1f, 0x61, 1, 0]),
  snappy: Buffer.from([0xff, 0xff, 0xff, 0xff, 0x03, 0, 0x61]),
  'zstd by its content': Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x30, 1, 0, 0]),
  'zstd by its window': Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0xa0, 1, 0, 0]),
  'zstd that ends too early': Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0]),
  'zstd that is none': Buffer.from('not a frame'),
  'snappy without an end to its length': Buffer.alloc(10, 0xff),
}

for (const [name, frame] of Object.entries(bombs)) {
  test(`a frame that announces far more than it holds is refused: ${name}`, async t => {
    const before = process.memoryUsage().rss
    t.throws(() => decompress({ compression: [name.split(' ')[0]] }, [frame]), { code: 'DASK_PROTOCOL' })
    t.ok(process.memoryUsage().rss - before < 50 * 2 ** 20)
  })
}
