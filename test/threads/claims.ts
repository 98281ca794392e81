import { test } from 'tap'
import { Claims } from '../../lib/threads/claims.js'

const pair = () => {
  const memory = new SharedArrayBuffer(Claims.bytes)
  return [new Claims(memory), new Claims(memory)] as const
}

test('a call belongs to the side that was first', async t => {
  const [pool, thread] = pair()
  pool.offer(2)
  t.ok(thread.begin(0))
  t.notOk(pool.takeBack(0))
  t.ok(pool.takeBack(1))
  t.notOk(thread.begin(1))
  t.notOk(thread.begin(0), 'once')
})

test('where a call stands, and since when it runs, is seen from the other side', async t => {
  const [pool, thread] = pair()
  pool.offer(2)
  t.ok(pool.isFree(0))
  t.equal(pool.begunAt(0), undefined)
  const before = Date.now()
  thread.begin(0)
  t.ok(pool.begunAt(0)! >= before && pool.begunAt(0)! <= Date.now())
  t.ok(pool.isRunning(0))
  thread.end(0)
  t.notOk(pool.isRunning(0))
  t.ok(pool.begunAt(0)! >= before)
  pool.takeBack(1)
  t.equal(pool.begunAt(1), undefined)
  pool.offer(1)
  t.ok(pool.isFree(0), 'the next batch starts anew')
})

test('a call that is to stop hears of it, though another was meant before', async t => {
  const [pool, thread] = pair()
  const heard: number[] = []
  thread.whenStopped(
    2,
    () => heard.push(2),
    () => false,
  )
  thread.whenStopped(
    3,
    () => heard.push(3),
    () => false,
  )
  thread.whenStopped(
    4,
    () => heard.push(4),
    () => true,
  )
  for (const n of [1, 2]) {
    pool.stop(n)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  t.strictSame(heard, [2])
  pool.stop(3)
  await new Promise(resolve => setTimeout(resolve, 20))
  t.strictSame(heard, [2, 3])
  pool.stop(4)
  await new Promise(resolve => setTimeout(resolve, 20))
  t.strictSame(heard, [2, 3])
})
