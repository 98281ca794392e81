import { test } from 'tap'
import { copier } from '../../lib/core/traverse.js'
import { Snapshot, type Taking } from '../../lib/values/snapshot.js'
import { transfer } from '../../lib/values/transfer.js'

function take<T>(taking: Taking, value: T): { copy: T; owned: readonly ArrayBuffer[] } {
  const snapshot = new Snapshot(taking, value)
  const pick = (_value: object): _value is never => false
  return { copy: copier(pick, () => undefined, snapshot.take)(value) as T, owned: snapshot.owned }
}

test('bytes, dates and URLs are copied, and nothing else', async t => {
  class Bytes extends Uint8Array {}
  const kept = {
    list: new Bytes(2),
    pattern: /a/g,
    error: new Error('e'),
    shared: new Uint8Array(new SharedArrayBuffer(2)),
  }
  const copied = { array: new Int16Array([1]), view: new DataView(new ArrayBuffer(3)), buffer: Buffer.from('text') }
  const value = { ...kept, ...copied, raw: new ArrayBuffer(4), date: new Date(5), url: new URL('http://a/') }
  const { copy } = take('copies', value)
  t.strictSame(copy, value)
  for (const name of Object.keys(kept)) t.equal(copy[name as 'list'], value[name as 'list'], name)
  for (const name of [...Object.keys(copied), 'raw', 'date', 'url'] as const) {
    t.not(copy[name as 'raw'], value[name as 'raw'], name)
  }
})

test('what is the same stays the same', async t => {
  const date = new Date(1)
  const bytes = new Uint8Array(10)
  const { copy } = take('copies', [date, [date], bytes, bytes, bytes.buffer, new Float32Array(bytes.buffer, 0, 2)])
  const [one, [two], a, b, buffer, part] = copy as [Date, [Date], Uint8Array, Uint8Array, ArrayBuffer, Float32Array]
  t.ok(one === two && a === b && a.buffer === buffer)
  t.not(part.buffer, buffer, 'a view of a part has its own bytes')
})

test('views of one buffer that is taken over show what they showed', async t => {
  const whole = new Uint8Array(100_000).fill(7)
  const value = [
    whole.subarray(1, 3),
    new Uint32Array(whole.buffer),
    whole,
    whole.subarray(4, 6),
    whole.buffer,
  ] as const
  const { copy, owned } = take('takes over', transfer(value))
  const [before, words, all, after, buffer] = copy
  t.ok(words.buffer === buffer && all.buffer === buffer)
  t.strictSame([...before, ...after], [7, 7, 7, 7])
  t.strictSame([words.length, all.length, all[99_999]], [25_000, 100_000, 7])
  t.equal(whole.byteLength, 0, 'the caller has nothing left')
  t.strictSame(owned, [buffer], 'only what is large is worth moving')
})

test('what cannot be moved is copied', async t => {
  const { buffer: pool } = Buffer.from('pooled')
  const { copy } = take('takes over', transfer(pool))
  t.equal(copy.byteLength, Buffer.poolSize)
  t.equal(pool.byteLength, Buffer.poolSize)
  const small = Buffer.from('hi')
  t.equal(take('takes all', small).copy.toString(), 'hi')
  t.equal(small.toString(), 'hi')
})

test('what is passed on is passed on once', async t => {
  const bytes = transfer(new Uint8Array(2))
  t.equal(take('passes on', bytes).copy, bytes)
  t.not(take('passes on', bytes).copy, bytes)
})

test('what is empty already stays what it is', async t => {
  const bytes = new Uint8Array(2)
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  t.equal(take('copies', bytes).copy, bytes)
  t.equal(take('takes all', bytes.buffer).copy, bytes.buffer)
  t.not(take('copies', new Uint8Array(0)).copy, bytes)
})
