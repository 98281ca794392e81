import { test } from 'tap'
import { capacity } from '../../lib/threads/call-numbers.js'
import { slotTextBytes } from '../../lib/threads/results.js'
import { Slots } from '../../lib/threads/slots.js'

const pair = () => {
  const memory = new SharedArrayBuffer(Slots.bytes)
  return [new Slots(memory), new Slots(memory)] as const
}

test('a call belongs to the side that was first', async t => {
  const [pool, thread] = pair()
  pool.offer(1, 0, 0, 0)
  pool.offer(2, 0, 0, 0)
  t.ok(thread.begin(1, 5))
  t.notOk(pool.takeBack(1))
  t.ok(pool.takeBack(2))
  t.notOk(thread.begin(2, 5))
  t.notOk(thread.begin(1, 5), 'once')
})

test('where a call stands is seen from the other side', async t => {
  const [pool, thread] = pair()
  pool.offer(7, 3, 70, 700)
  t.strictSame([thread.kinOf(7), thread.idOf(7), thread.nameOf(7)], [3, 70, 700])
  t.ok(pool.isFree(7))
  t.equal(pool.begunAt(7), undefined)
  thread.begin(7, 1.5)
  t.equal(pool.begunAt(7), 1.5)
  t.ok(pool.isRunning(7))
  thread.results.keep(7, 'value')
  thread.end(7, 2.5, 4)
  t.notOk(pool.isRunning(7))
  t.ok(pool.hasEnded(7))
  t.strictSame([pool.begunAt(7), pool.endedAt(7), pool.noticesOf(7)], [1.5, 2.5, 4])
})

test('a slot that is used again is not taken for that of an earlier call', async t => {
  const [pool, thread] = pair()
  pool.offer(1, 0, 0, 0)
  pool.takeBack(1)
  pool.offer(1 + capacity, 0, 0, 0)
  t.notOk(thread.begin(1, 0), 'the thread is still on its way past the earlier one')
  t.notOk(pool.isTakenBack(1))
  t.ok(thread.begin(1 + capacity, 0))
})

test('neighbours do not touch each other', async t => {
  const [pool, thread] = pair()
  const all = Array.from({ length: capacity }, (_, index) => index + 1)
  for (const n of all) {
    pool.offer(n, n % 7, n, n * 2)
    thread.begin(n, n + 0.5)
    if (n % 2) thread.results.keep(n, `${'é'.repeat(slotTextBytes / 2 - 4)}${n}`.slice(-slotTextBytes / 2))
    else thread.results.keep(n, n)
    thread.end(n, n + 0.75, n % 3)
  }
  t.ok(
    all.every(n => {
      const result = pool.results.of(n)
      const isRight = n % 2 ? String(result).endsWith(String(n)) && String(result).startsWith('é') : result === n
      return isRight && pool.begunAt(n) === n + 0.5 && pool.endedAt(n) === n + 0.75 && pool.noticesOf(n) === n % 3
    }),
  )
})

test('who asks is told once', async t => {
  const [pool, thread] = pair()
  t.notOk(thread.isWanted(false))
  for (const mayWait of [true, false]) {
    pool.want()
    t.ok(thread.isWanted(mayWait))
    t.notOk(thread.isWanted(mayWait))
  }
  pool.wantSoon()
  t.notOk(thread.isWanted(true))
  t.ok(thread.isWanted(false))
  t.notOk(thread.isWanted(false))
})

test('a call that is to stop hears of it, though another was meant before', async t => {
  const [pool, thread] = pair()
  const heard: number[] = []
  const turn = () => new Promise(resolve => setTimeout(resolve, 20))
  for (const n of [2, 3]) {
    thread.whenStopped(
      n,
      () => heard.push(n),
      () => false,
    )
  }
  thread.whenStopped(
    4,
    () => heard.push(4),
    () => true,
  )
  for (const n of [1, 2]) {
    pool.stop(n)
    await turn()
  }
  t.strictSame(heard, [2])
  pool.stop(3)
  await turn()
  t.strictSame(heard, [2, 3])
  pool.stop(4)
  await turn()
  t.strictSame(heard, [2, 3])
})
