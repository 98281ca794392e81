/**
 * What the engine itself costs per task run, every state kept: the tasks are carried out by an executor that does
 * nothing but answer, many calls in one go, as threads do when they are fast.
 * `node --import tsx bench/engine.ts`. ROUNDS and TASKS change its size.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Call,
  ConcurrentExecutor,
  createEngine,
  type Executor,
  flow,
  JsonStore,
  MemoryStore,
  type Store,
  task,
} from 'mintaka'
import PQueue from 'p-queue'
import { heading, interleave, table } from './rounds.js'

const tasks = Number(process.env['TASKS'] ?? 50_000)
const numbers = Array.from({ length: tasks }, (_, index) => index)
const folder = mkdtempSync(join(tmpdir(), 'mintaka-bench-'))

const increment = task('increment', (value: number) => value + 1)
const body = async (value: number) => value + 1

/** Answers what was submitted in one turn of the event loop in the next, in one go. */
class NullExecutor implements Executor {
  readonly name = 'null'

  async start() {
    let calls: Call[] = []
    const answer = () => {
      const answered = calls
      calls = []
      const at = Date.now()
      for (const call of answered) {
        call.started(at)
        call.ended({ type: 'returned', value: (call.args[0] as number) + 1 })
      }
    }
    return {
      where: 'elsewhere' as const,
      submit(call: Call): undefined {
        if (calls.push(call) === 1) setImmediate(answer)
      },
      async [Symbol.asyncDispose]() {},
    }
  }
}

/** Keeps nothing of task runs: what is left is the engine. */
class ForgetfulStore extends MemoryStore {
  override createTaskRun(): undefined {}
  override appendState(): undefined {}
}

const shapes = {
  'Promise.all': () => Promise.all(numbers.map(value => increment(value))),
  'task.map': () => increment.map(numbers),
}

/** Microseconds per task, from the first call until the flow run has ended. */
async function flowOf(store: Store, executor: Executor, shape: keyof typeof shapes = 'Promise.all'): Promise<number> {
  const engine = createEngine({ store })
  let start = 0
  const measured = async () => {
    start = performance.now()
    return await shapes[shape]()
  }
  await engine.run(flow('open the store', () => 0))
  await engine.run(flow('many', measured, { executor }))
  const spent = performance.now() - start
  await engine.close()
  return (spent / tasks) * 1000
}

/** Microseconds per promise that is answered in one go with the others, as `NullExecutor` answers calls. */
async function promisesOf(): Promise<number> {
  const start = performance.now()
  const answers: ((value: number) => void)[] = []
  const promises = new Array<Promise<number>>(tasks)
  for (let index = 0; index < tasks; index++) promises[index] = new Promise(resolve => void answers.push(resolve))
  setImmediate(() => answers.forEach((answer, index) => void answer(index + 1)))
  await Promise.all(promises)
  return ((performance.now() - start) / tasks) * 1000
}

async function queueOf(queue: PQueue): Promise<number> {
  const start = performance.now()
  const added = new Array<Promise<number>>(tasks)
  for (let index = 0; index < tasks; index++) added[index] = queue.add(() => body(index))
  await Promise.all(added)
  return ((performance.now() - start) / tasks) * 1000
}

const stores: Record<string, () => Store> = {
  'nothing kept': () => new ForgetfulStore(),
  'states in memory': () => new MemoryStore(),
  journal: () => new JsonStore({ folder: mkdtempSync(join(folder, 'store-')) }),
}
const bare = 'a promise per task'
const queue = 'p-queue, no limit'

const results = [
  ...(await interleave([
    { name: bare, measure: promisesOf },
    ...Object.entries(stores).flatMap(([kind, store]) => [
      {
        name: `${kind}, Promise.all`,
        against: bare,
        ratio: 'as long' as const,
        measure: () => flowOf(store(), new NullExecutor()),
      },
      {
        name: `${kind}, task.map`,
        against: bare,
        ratio: 'as long' as const,
        measure: () => flowOf(store(), new NullExecutor(), 'task.map'),
      },
    ]),
  ])),
  ...(await interleave([
    { name: queue, measure: () => queueOf(new PQueue()) },
    {
      name: 'ConcurrentExecutor, nothing kept',
      against: queue,
      measure: () => flowOf(new ForgetfulStore(), new ConcurrentExecutor()),
    },
  ])),
]

console.log(heading('The engine alone', `${tasks} tasks at once, of an executor that only answers`))
console.log(`\n${table(results)}`)
rmSync(folder, { recursive: true, force: true })
