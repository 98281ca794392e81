import { test } from 'tap'
import type { Outcome } from '../../lib/core/executor.js'
import { demand } from '../../lib/threads/admission.js'
import { Job, type Work } from '../../lib/threads/job.js'
import { heaviestBatch } from '../../lib/threads/policy.js'
import type { Code } from '../../lib/threads/protocol.js'
import { Waiting } from '../../lib/threads/waiting.js'

const code: Code = { key: 'k', taskName: 'count', url: 'file:///tasks.js' }
const pool = { stop() {} }
const gpu = demand([{ name: 'GPU', amount: 1 }])

interface Told {
  readonly work: Partial<Work>
  readonly timeoutMs?: number
}

/** A queue, and how to put calls there; `ends` is what they were told. */
function setUp(resources?: Readonly<Record<string, number>>) {
  let mayGo = 0
  let order = 0
  const ends: Outcome[] = []
  const waiting = new Waiting({ resources }, () => mayGo++)
  const add = ({ work, timeoutMs }: Told = { work: {} }): Job => {
    const call = { id: 'c', name: 'c', flowRunId: 'f', tags: [], attempt: 1, timeoutMs } as unknown as Work['call']
    const own: Work = {
      call,
      code,
      priority: 0,
      args: [],
      encodeArgs: () => ['encoded'],
      ended: outcome => void ends.push(outcome),
      ...work,
    }
    const job = new Job(pool, own, { code, number: 0 }, order++, 0)
    waiting.push(job)
    return job
  }
  return { waiting, add, ends, mayGo: () => mayGo }
}

test('calls go together, as many as asked for', async t => {
  const { waiting, add } = setUp()
  const jobs = [add(), add(), add()]
  t.strictSame(waiting.nextBatch(2), jobs.slice(0, 2))
  t.equal(waiting.count, 1)
  t.strictSame(waiting.nextBatch(2), jobs.slice(2))
  t.notOk(waiting.hasMore)
})

test('a call with a deadline goes alone, and not at all where calls share a parcel', async t => {
  const { waiting, add } = setUp()
  const [before, alone, after] = [add(), add({ work: {}, timeoutMs: 100 }), add()]
  t.strictSame(waiting.nextBatch(9), [before], 'the one before it')
  t.strictSame(waiting.nextBatch(9, false), [], 'it keeps its place')
  t.strictSame(waiting.nextBatch(9), [alone])
  t.strictSame(waiting.nextBatch(9), [after])
})

test('heavy calls go in small batches, one at least', async t => {
  const { waiting, add } = setUp()
  const heavy = { work: { args: ['x'.repeat(16 * 1024 * heaviestBatch)] } }
  const jobs = [add(heavy), add(heavy)]
  t.strictSame(waiting.nextBatch(9), jobs.slice(0, 1))
  t.strictSame(waiting.nextBatch(9), jobs.slice(1))
})

test('what cannot be encoded ends, and the next one takes its place', async t => {
  const { waiting, add, ends } = setUp()
  const error = new Error('not sendable')
  const encodeArgs = (): never => {
    throw error
  }
  add({ work: { args: [{}], encodeArgs } })
  const other = add()
  t.strictSame(waiting.nextBatch(1), [other])
  t.strictSame(ends, [], 'not before whoever hands calls out is through')
  await Promise.resolve()
  t.strictSame(ends, [{ type: 'threw', error }])
})

test('a call that was stopped never goes', async t => {
  const { waiting, add, ends } = setUp()
  waiting.stop(add())
  t.equal(waiting.count, 0)
  t.strictSame(waiting.nextBatch(9), [])
  await Promise.resolve()
  t.strictSame(ends, [{ type: 'stopped' }])
})

test('a call whose demand is not met waits aside, and says when it may go', async t => {
  const { waiting, add, mayGo } = setUp({ GPU: 1 })
  const [first, second] = [add({ work: { demand: gpu } }), add({ work: { demand: gpu } })]
  t.strictSame(waiting.nextBatch(9), [first])
  t.strictSame(waiting.nextBatch(9), [])
  t.ok(waiting.hasMore, 'somebody waits for what the first has')
  t.equal(mayGo(), 0)
  first.settle({ type: 'returned', value: 1 })
  t.equal(mayGo(), 1)
  t.strictSame(waiting.nextBatch(9), [second])
})

test('what a thread gives back has its place again, and has given back what it took', async t => {
  const { waiting, add } = setUp({ GPU: 1 })
  const [first, second] = [add({ work: { demand: gpu } }), add({ work: { demand: gpu } })]
  waiting.putBack(waiting.nextBatch(9))
  t.equal(waiting.count, 2)
  t.strictSame(waiting.nextBatch(9), [first])
  t.strictSame(waiting.drain(), [second])
})

test('all that wait are taken out, or all of one owner', async t => {
  const { waiting, add } = setUp()
  const [one, other] = [{}, {}]
  const jobs = [add({ work: { owner: one } }), add({ work: { owner: other } }), add({ work: { owner: one } })]
  t.strictSame(waiting.drain(one), [jobs[0], jobs[2]])
  t.equal(waiting.count, 1)
  t.strictSame(waiting.drain(), [jobs[1]])
  t.equal(waiting.count, 0)
})
