import { test } from 'tap'
import { Envelope, type Kin } from '../../lib/threads/protocol.js'
import { Slots } from '../../lib/threads/slots.js'
import { CallContext, runAs } from '../../workers/context.js'
import { door, functionOf, installDoor } from '../../workers/door.js'

const kin: Kin = {
  flowRunId: 'flow-1',
  id: 'run-',
  name: 'outer-',
  isNumbered: true,
  tags: [],
  attempt: 1,
  taskName: 'outer',
  code: 1,
  newCode: undefined,
  arity: 0,
  tells: false,
}
const slots = new Slots(new SharedArrayBuffer(Slots.bytes))
const call = (n: number) => new CallContext(new Envelope(n, kin, 1, 1), slots)
const inTask = <T>(body: () => T): T => runAs(call(1), body, [], 0, 0) as T

const double = door.task('double', x => (x as number) * 2)

test('a task runs in place inside a task, and nowhere else', async t => {
  t.equal(await inTask(() => double(4)), 8)
  t.equal(await inTask(() => double.with({ retries: 3 })(4)), 8)
  t.equal(double.fn(4), 8)
  t.throws(() => double(4), { code: 'TASK_OUTSIDE_FLOW' })
})

test('map calls once per row; unmapped values are passed whole', async t => {
  const join = door.task('join', (a, b) => `${a}${b}`)
  t.strictSame(await Promise.all(inTask(() => join.map(['a', 'b'], door.unmapped('!')))), ['a!', 'b!'])
  t.throws(() => inTask(() => join.map([1], [1, 2])), {
    code: 'INVALID_ARGUMENT',
    message: /different lengths \(1, 2\)/,
  })
  t.strictSame(
    await Promise.all(inTask(() => [1, 2].map(double as (x: number) => unknown))),
    [2, 4],
    'as xs.map(aTask)',
  )
})

test('a flow is refused inside a task and asleep at the top level of a module', async t => {
  const nightly = door.flow('nightly', () => 1)
  t.throws(() => inTask(() => nightly.with({})()), {
    code: 'FLOW_IN_TASK',
    message:
      "Flow 'nightly' was called inside task 'outer' on a worker; flows run on the main thread. Call it from a flow.",
  })
  const outcome = await Promise.race([nightly(), new Promise(resolve => setImmediate(resolve, 'asleep'))])
  t.equal(outcome, 'asleep')
  t.equal(nightly.fn(), 1)
})

test('contexts are where they belong', async t => {
  t.equal(inTask(door.taskContext).taskRunId, 'run-1')
  t.throws(door.taskContext, { code: 'OUTSIDE_RUN' })
  t.throws(door.flowContext, { code: 'OUTSIDE_RUN' })
  t.throws(() => inTask(door.flowContext), { code: 'OUTSIDE_RUN', message: /inside a task/ })
})

test('engines, executors, stores, deployments and services can be made and do nothing', async t => {
  await using engine = door.createEngine()
  t.equal(engine.use(), engine)
  t.ok(door.deployment())
  await using service = await door.serve()
  await service.stop()
  for (const name of [
    'SequentialExecutor',
    'ConcurrentExecutor',
    'ParallelExecutor',
    'DaskExecutor',
    'MemoryStore',
    'JsonStore',
  ] as const) {
    t.ok(new door[name]())
  }
  t.equal(
    door.annotate({ priority: 1 }, () => 5),
    5,
  )
  t.equal(
    door.tags(['a'], () => 6),
    6,
  )
})

test('states can be made by hand', async t => {
  t.match(
    [door.Completed(1), door.Failed(new Error('x')), door.Cancelled()],
    [{ result: 1 }, { message: 'x' }, { type: 'CANCELLED' }],
  )
})

test('a task by reference runs the function of that module', async t => {
  const byReference = door.task.fromModule('data:text/javascript,export const f = x => x + 1', 'f')
  t.equal(await inTask(() => byReference(1)), 2)
  await t.rejects(inTask(() => door.task.python('pkg:fn')()) as Promise<unknown>, { code: 'INVALID_ARGUMENT' })
  t.equal(functionOf(double)(2), 4)
})

test('the door is put in place once', async t => {
  installDoor()
  installDoor()
  t.equal((globalThis as Record<symbol, unknown>)[Symbol.for('mintaka.door')], door)
  t.equal(door.__esModule, true)
})

test('a call that shall stop says so to those who poll and to those who listen', async t => {
  const [other, stopped] = [call(7), call(8)]
  const fired = new Promise(resolve => stopped.signal.addEventListener('abort', resolve))
  stopped.context.throwIfCancelled()
  slots.stop(8)
  await fired
  t.match(stopped.signal.reason, { code: 'CANCELLED', message: /'outer-1' was cancelled or ran out of time/ })
  t.throws(() => stopped.context.throwIfCancelled(), { code: 'CANCELLED' })
  t.ok(call(8).context.signal.aborted, 'whoever asks late finds it aborted')
  other.context.throwIfCancelled()
  t.notOk(other.signal.aborted)
  other.end()
})
