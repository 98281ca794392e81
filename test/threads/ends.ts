import { test } from 'tap'
import type { Outcome } from '../../lib/core/executor.js'
import { Ends } from '../../lib/threads/ends.js'
import { HeldCalls } from '../../lib/threads/held-calls.js'
import { Job, type Work } from '../../lib/threads/job.js'
import type { Code } from '../../lib/threads/protocol.js'
import { form } from '../../lib/threads/results.js'
import { Slots } from '../../lib/threads/slots.js'

const code: Code = { key: 'k', taskName: 'count', url: 'file:///tasks.js' }
const place = { stop() {} }

/** A thread's side of the memory, and the ends of so many calls that it holds; `told` is what they were told. */
function setUp(count: number, drain: (ends: Ends) => void = () => {}) {
  const memory = new SharedArrayBuffer(Slots.bytes)
  const [slots, there] = [new Slots(memory), new Slots(memory)]
  const held = new HeldCalls(slots, place)
  const told: Outcome[] = []
  const jobs = Array.from({ length: count }, (_, order) => {
    const call = { started() {} } as unknown as Work['call']
    const work = { call, code, priority: 0, args: [], encodeArgs: () => [] }
    return new Job(place, { ...work, ended: outcome => void told.push(outcome) }, { code, number: 0 }, order, 0)
  })
  held.number(jobs)
  for (const { n } of jobs) slots.offer(n, 0, 0, 0)
  held.sent(jobs)
  const ends: Ends = new Ends(slots, held, () => drain(ends))
  const end = (n: number, write: (n: number) => void, notices = 0) => {
    there.begin(n, 10 * n)
    write(n)
    there.end(n, 10 * n + 4, notices)
  }
  return { ends, end, held, slots, there, jobs, told }
}

test('ends are found in the order of the calls, and told when they are settled', async t => {
  const { ends, end, held, there, told } = setUp(3)
  t.notOk(ends.find(), 'nothing has ended')
  end(1, n => there.results.keep(n, 'one'))
  end(2, n => there.results.keepForm(n, form.stopped))
  t.ok(ends.find())
  t.equal(held.left, 1)
  t.ok(ends.areUnsettled)
  t.strictSame(told, [])
  ends.settle()
  t.strictSame(told, [{ type: 'returned', value: 'one' }, { type: 'stopped' }])
  t.notOk(ends.areUnsettled)
  t.equal(ends.meanMs, 4)
})

test('a result that is posted is waited for, and those behind it with it', async t => {
  const { ends, end, there, told } = setUp(2)
  end(1, n => there.results.keepForm(n, form.posted))
  end(2, n => there.results.keep(n, 2))
  t.notOk(ends.find(), 'it is on its way')
  ends.replied(1, { type: 'threw', value: 'large' })
  ends.find()
  ends.settle()
  t.strictSame(told, [
    { type: 'threw', error: 'large' },
    { type: 'returned', value: 2 },
  ])
})

test('what has been posted is taken in before the end of its call', async t => {
  let drained = 0
  const { ends, end, there } = setUp(1, () => drained++)
  end(1, n => there.results.keep(n, 1), 1)
  t.notOk(ends.find(true), 'quietly nothing is heard')
  t.equal(drained, 0)
  t.ok(ends.find())
  t.equal(drained, 1)
})

test('calls that were taken back are passed over', async t => {
  const { ends, end, held, there, jobs, told } = setUp(2)
  held.takeBack(jobs[0] as Job)
  end(2, n => there.results.keep(n, 2))
  t.ok(ends.find())
  ends.settle()
  t.strictSame(told, [{ type: 'returned', value: 2 }])
})
