import tap, { test } from 'tap'
import { PyGlobal, PyObject } from '../../../lib/dask/pickle/objects.js'
import {
  decodeMessage,
  encodeMessage,
  MessageBatch,
  Pickled,
  PySet,
  Serialized,
} from '../../../lib/dask/protocol/message.js'
import { MsgpackWriter } from '../../../lib/dask/protocol/msgpack-write.js'
import { daskEnvironments } from '../../fixtures/dask/environments.js'
import { askPython } from '../../fixtures/dask/python.js'
import { survives } from '../../fixtures/fuzz.js'

tap.setTimeout(240_000)

type Fields = Record<string, unknown>

function pack(value: unknown): Buffer {
  const writer = new MsgpackWriter()
  writer.write(value)
  return writer.take()
}

const serialized = new Serialized({ serializer: 'pickle', writeable: [] }, [Buffer.from('one'), Buffer.from('two')])

test('payloads travel beside the message, and are not copied', async t => {
  const [payload] = serialized.frames
  const frames = encodeMessage({ op: 'x', data: { key: serialized }, more: [Pickled.of([1]), new PySet(['a'])] })
  t.equal(frames.length, 1 + 3 + 1)
  t.equal(frames[2], payload)
  const read = decodeMessage(frames) as Fields
  const data = read['data'] as Record<string, Serialized>
  t.type(data['key'], Serialized)
  t.equal(data['key']!.header['serializer'], 'pickle')
  t.strictSame(data['key']!.frames.map(String), ['one', 'two'])
  const [pickled, set] = read['more'] as [Pickled, unknown]
  t.strictSame(pickled.load(), [1])
  t.strictSame(set, ['a'])
})

test('a payload that was read can be sent on', async t => {
  const once = decodeMessage(encodeMessage([serialized])) as [Serialized]
  const twice = decodeMessage(encodeMessage(once)) as [Serialized]
  t.strictSame(twice[0].frames.map(String), ['one', 'two'])
  t.strictSame(Object.keys(twice[0].header), Object.keys(once[0].header))
})

test('messages of a batch are a list, and one that cannot be sent costs itself only', async t => {
  const batch = new MessageBatch()
  batch.add({ op: 'first', value: serialized })
  t.throws(() => batch.add({ op: 'bad', value: [serialized, () => 1] }), { code: 'INVALID_ARGUMENT' })
  batch.add({ op: 'second', value: serialized })
  t.equal(batch.size, 2)
  const frames = batch.frames()
  t.equal(frames.length, 1 + 3 + 3)
  const [first, second] = decodeMessage(frames) as [Fields, Fields]
  t.strictSame([first['op'], second['op']], ['first', 'second'])
  t.type(second['value'], Serialized)
})

for (const environment of daskEnvironments()) {
  test(`Dask ${environment.version} reads our messages, and we read its own`, async t => {
    const script = `
from distributed.core import Status
from distributed.protocol import dumps, loads, to_serialize
from distributed.protocol.serialize import Serialized, ToPickle
read = loads([unb64(frame) for frame in sent], deserialize=False)
assert read["set"] == {"a", "b"}, read
assert read["big"] == 2**60 and read["nothing"] is None and read["list"] == ("x", ("y",)), read
assert isinstance(read["value"], Serialized) and bytes(read["value"].frames[1]) == b"two", read
assert read["pickled"] == {"k": [1, 2.5, "x", b"y"]}, read
message = {"op": "reply", "status": Status.running, "keys": {"k"}, "nested": {("x", 0): 1, 5: "five", "text": 2},
           "data": {"x": to_serialize([b"a", b"b"]), "y": to_serialize(123)}, "pickled": ToPickle(["p", len]),
           "large": 2**63, "bytes": b"raw", "none": None, "tuple": (1, (2,))}
tell([b64(bytes(frame)) for frame in dumps(message)])
`
    const message = {
      set: new PySet(['a', 'b']),
      big: 2n ** 60n,
      nothing: null,
      left: undefined,
      list: ['x', ['y']],
      value: serialized,
      pickled: Pickled.of({ k: [1, 2.5, 'x', Buffer.from('y')] }),
    }
    const sent = encodeMessage(message).map(frame => Buffer.from(frame).toString('base64'))
    const frames = ((await askPython(script, sent, environment)) as string[]).map(frame => Buffer.from(frame, 'base64'))
    const read = decodeMessage(frames) as Fields
    t.equal(read['status'], 'running')
    t.strictSame(read['keys'], ['k'])
    t.strictSame(
      Object.entries(read['nested'] as Fields).sort(),
      [
        ['["x",0]', 1],
        ['5', 'five'],
        ['text', 2],
      ].sort(),
    )
    const data = read['data'] as Record<string, Serialized>
    t.equal(data['x']!.header['is-collection'], true)
    t.equal(data['y']!.header['serializer'], 'pickle')
    const [text, name] = (read['pickled'] as Pickled).load() as [string, PyGlobal]
    t.strictSame([text, name.type], ['p', 'builtins.len'])
    t.equal(read['large'], 2n ** 63n)
    t.strictSame(read['bytes'], Buffer.from('raw'))
    t.strictSame(read['tuple'], [1, [2]])
    survives(t, frames.slice(0, 1), damaged => decodeMessage([damaged, ...frames.slice(1)]), { count: 5_000, seed: 41 })
    survives(
      t,
      frames,
      damaged => {
        const all: Buffer[] = [...frames]
        all[damaged.length % all.length] = damaged
        walk(decodeMessage(all))
      },
      { count: 5_000, seed: 42 },
    )
  })
}

/** Opens what is pickled. */
function walk(value: unknown): void {
  if (value instanceof Pickled) value.load()
  else if (typeof value === 'object' && value !== null) for (const child of Object.values(value)) walk(child)
}

const refusals: [what: string, frames: Buffer[], message: RegExp][] = [
  ['a message without frames', [], /no frames/],
  ['a payload that is not there', [pack({ __Serialized__: 1 })], /frame 1 of 1/],
  ['a payload without a header', [pack({ __Serialized__: 1 }), Buffer.from([0xc1])], /0xc1/],
  ['a header that is a number', [pack({ __Serialized__: 1 }), pack(7)], /more frames than there are/],
  ['a payload with more frames than came', [pack({ __Serialized__: 1 }), pack({ 'num-sub-frames': 1 })], /more frames/],
  ['a payload with -1 frames', [pack({ __Pickled__: 1 }), pack({ 'num-sub-frames': -1 })], /more frames/],
  ['payloads that share frames', shared(), /share frames/],
]

// Each of them takes all the frames after it.
function shared(): Buffer[] {
  const count = 50
  const refer = Array.from({ length: count }, (_, index) => ({ __Serialized__: index + 1 }))
  return [pack(refer), ...refer.map((_, index) => pack({ 'num-sub-frames': count - index - 1 }))]
}

for (const [what, frames, message] of refusals) {
  test(`${what} is refused`, async t => {
    t.throws(() => decodeMessage(frames), { code: 'DASK_PROTOCOL', message })
  })
}

test('what is referred to any number of times is read once', async t => {
  const header = pack({ 'num-sub-frames': 0, long: Array.from({ length: 10_000 }, () => 'x') })
  const read = decodeMessage([
    pack(Array.from({ length: 100_000 }, () => ({ __Serialized__: 1 }))),
    header,
  ]) as unknown[]
  t.equal(read.length, 100_000)
  t.equal(read[0], read[99_999])
})

test('data that looks like ours is just data', async t => {
  const message = {
    a: { __Serialized__: true },
    b: { __Set__: true, 'as-list': 5 },
    c: { __Enum__: true },
    d: { __Pickled__: 0 },
  }
  const read = decodeMessage([pack(message)]) as Fields
  t.strictSame(JSON.parse(JSON.stringify(read)), message)
})

test('a pickled object without a pickle is refused when it is opened', async t => {
  const [pickled] = decodeMessage([pack([{ __Pickled__: 1 }]), pack({ 'num-sub-frames': 0 })]) as [Pickled]
  t.throws(() => pickled.load(), { code: 'DASK_PROTOCOL', message: /no pickle/ })
  t.type(Pickled.of(new PyGlobal('a', 'b')).load(), PyGlobal)
  t.notOk(Pickled.of(1).load() instanceof PyObject)
})
