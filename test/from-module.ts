import { createEngine, flow, MemoryStore, ParallelExecutor, SequentialExecutor, task } from 'mintaka'
import { test } from 'tap'

const url = new URL('./fixtures/by-reference.mjs', import.meta.url).href
const silent = { debug() {}, info() {}, warn() {}, error() {} }

for (const [name, executor] of [
  ['threads', new ParallelExecutor({ threads: 1 })],
  ['this process', new SequentialExecutor()],
] as const) {
  test(`a task by reference runs on ${name}, and its module meets the door of where it runs`, async t => {
    await using engine = createEngine({ store: new MemoryStore(), logger: silent })
    const attempt = task.fromModule<[], number>(url, 'attempt')
    const twice = task.fromModule<[number], number>(url, 'twice')
    const run = flow('by reference', async () => [await attempt(), await twice(4)], { executor })
    t.strictSame(await engine.run(run), [1, 8])
  })
}

test('a worker has the arguments of its process', async t => {
  await using engine = createEngine({ store: new MemoryStore(), logger: silent })
  process.argv.push('--the-last')
  t.teardown(() => process.argv.pop())
  const argument = task.fromModule<[], string>(url, 'argument')
  t.equal(await engine.run(flow('argument', () => argument(), { executor: ParallelExecutor })), '--the-last')
})

test('an export that is not there is named, with those that are', async t => {
  await using engine = createEngine({ store: new MemoryStore(), logger: silent })
  const missing = task.fromModule<[], number>(url, 'attemt')
  await t.rejects(engine.run(flow('missing', () => missing())), { code: 'NOT_FOUND', message: /attempt/ })
  const onThreads = engine.run(flow('missing', () => missing(), { executor: ParallelExecutor }))
  await t.rejects(onThreads, { message: /attemt/ })
})
