/** What it takes to say things to Dask: messages, values, bytes over a socket. Nothing of Dask itself is needed. */
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { Decoder, Encoder } from '@msgpack/msgpack'
import { Comm } from '../lib/dask/comm/comm.js'
import { loads } from '../lib/dask/pickle/read.js'
import { dumps } from '../lib/dask/pickle/write.js'
import { decodeMessage, encodeMessage, Serialized } from '../lib/dask/protocol/message.js'
import { decodeValue } from '../lib/dask/values/decode.js'
import { encodeValue } from '../lib/dask/values/encode.js'
import { readType, typeWithResult } from '../lib/dask/values/inline.js'
import { median } from './rounds.js'

const rounds = 15

/** Median milliseconds of one run. */
function msOf(run: () => void): number {
  const times = Array.from({ length: rounds }, () => {
    const start = performance.now()
    run()
    return performance.now() - start
  })
  return median(times)
}

function row(what: string, ...cells: (string | number)[]): void {
  console.log(`| ${what} | ${cells.map(cell => (typeof cell === 'number' ? cell.toFixed(2) : cell)).join(' | ')} |`)
}

const keys = Array.from({ length: 5_000 }, (_, index) => `load-rows-${index}a-abcdef`)
const type = typeWithResult(encodeValue(7), 1_000)
const computeTasks = keys.map(key => ({
  op: 'compute-task',
  key,
  priority: [0, 1, 2, 3],
  who_has: { [`${key}-dep`]: ['tcp://127.0.0.1:40000'] },
  nbytes: { [`${key}-dep`]: 1_000 },
  run_spec: new Serialized({ serializer: 'pickle', writeable: [] }, [Buffer.alloc(300)]),
  stimulus_id: 'stimulus-1',
  annotations: { resources: { node: 1e-9 } },
}))
const inMemory = keys.map(key => ({ op: 'key-in-memory', key, type, workers: ['tcp://127.0.0.1:40000'] }))

console.log('## The wire of Dask\n')
console.log('| messages | ms to write | ms to read | the same by @msgpack/msgpack |')
console.log('|---|---|---|---|')
for (const [what, message] of [
  ['5000 `key-in-memory` in one list', inMemory],
  ['5000 `compute-task` in one list', computeTasks],
] as const) {
  const frames = encodeMessage(message)
  const isPlain = frames.length === 1
  const encoder = new Encoder()
  const decoder = new Decoder()
  const theirs = isPlain
    ? `${msOf(() => encoder.encode(message)).toFixed(2)}, ${msOf(() => decoder.decode(frames[0]!)).toFixed(2)}`
    : ''
  row(
    what,
    msOf(() => encodeMessage(message)),
    msOf(() => decodeMessage(frames)),
    theirs,
  )
}

const rows = Array.from({ length: 10_000 }, (_, id) => ({
  id,
  name: `row ${id}`,
  value: id / 3,
  tags: ['a', 'b'],
  ok: true,
}))
const numbers = Array.from({ length: 100_000 }, (_, index) => index)
const values: [what: string, value: unknown][] = [
  ['7', 7],
  ['a small object', { a: 1, b: ['x', true, null] }],
  ['10 000 rows', rows],
  ['100 000 numbers', numbers],
  ['a Map of 10 000 rows (own form)', new Map(rows.map(each => [each.id, each]))],
  ['100 MB', Buffer.alloc(100_000_000)],
]
console.log('\n| values | ms to encode | ms to decode | bytes |')
console.log('|---|---|---|---|')
for (const [what, value] of values) {
  const encoded = encodeValue(value)
  row(
    what,
    msOf(() => encodeValue(value)),
    msOf(() => decodeValue(encoded.serialized)),
    String(encoded.nbytes),
  )
}
const pickle = dumps(rows)
row(
  '10 000 rows, `dumps` and `loads`',
  msOf(() => dumps(rows)),
  msOf(() => loads(pickle)),
  String(pickle.length),
)
const small = encodeValue({ a: 1 })
row(
  'a type with a result',
  msOf(() => typeWithResult(small, 100)),
  msOf(() => readType(type)),
  String(type.length),
)
const items = numbers.map(number => ({ serializer: 'pickle', writeable: [], number }))
const list = new Serialized(
  { 'is-collection': true, 'type-serialized': 'list', 'sub-headers': items, 'frame-lengths': items.map(() => 1) },
  numbers.map(dumps),
)
const listFrames = encodeMessage(list)
row(
  'a list of 100 000 numbers as Python sends it',
  '',
  msOf(() => decodeValue(decodeMessage(listFrames) as Serialized)),
  '',
)

console.log('\n| over a socket | MB/s |')
console.log('|---|---|')
const server = net.createServer(async socket => {
  const comm = await Comm.accept(socket)
  comm.listen(() => comm.write('got it'))
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const comm = await Comm.connect(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`)
for (const megabytes of [0.001, 1, 100]) {
  const { serialized } = encodeValue(Buffer.alloc(megabytes * 1_000_000))
  const times: number[] = []
  for (let round = 0; round < (megabytes < 10 ? 200 : 10); round++) {
    const start = performance.now()
    comm.write({ value: serialized })
    await comm.read()
    times.push(performance.now() - start)
  }
  row(`${megabytes} MB and an answer`, (megabytes / median(times)) * 1_000)
}
comm.abort()
server.close()
