/**
 * What the engine itself costs per task run, every state kept: the tasks are carried out by an executor that does
 * nothing but answer, many calls in one go, as threads do when they are fast.
 * `npm run build && node --expose-gc --import tsx bench/engine.ts`. ROUNDS and TASKS change its size.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
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
import { interleave, table } from './rounds.js'

const rounds = Number(process.env['ROUNDS'] ?? 9)
const tasks = Number(process.env['TASKS'] ?? 50_000)
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

/** Microseconds per task of a flow that awaits `count` of them. */
async function flowOf(store: Store, executor: Executor, count = tasks): Promise<number> {
  const engine = createEngine({ store })
  let start = 0
  const many = flow(
    'many',
    async () => {
      start = performance.now()
      const futures = new Array<PromiseLike<number>>(count)
      for (let index = 0; index < count; index++) futures[index] = increment(index)
      return (await Promise.all(futures)).length
    },
    { executor },
  )
  await engine.run(flow('open the store', () => 0))
  await engine.run(many)
  const spent = performance.now() - start
  await engine.close()
  return (spent / count) * 1000
}

/** Microseconds per promise that is answered in one go with the others, as `NullExecutor` answers calls. */
async function promisesOf(count = tasks): Promise<number> {
  const start = performance.now()
  const answers: ((value: number) => void)[] = []
  const promises = new Array<Promise<number>>(count)
  for (let index = 0; index < count; index++) promises[index] = new Promise(resolve => void answers.push(resolve))
  setImmediate(() => answers.forEach((answer, index) => void answer(index + 1)))
  await Promise.all(promises)
  return ((performance.now() - start) / count) * 1000
}

async function queueOf(queue: PQueue, count = tasks): Promise<number> {
  const start = performance.now()
  const added = new Array<Promise<number>>(count)
  for (let index = 0; index < count; index++) added[index] = queue.add(() => body(index))
  await Promise.all(added)
  return ((performance.now() - start) / count) * 1000
}

const journal = () => new JsonStore({ folder: mkdtempSync(join(folder, 'store-')) })
const bare = 'a promise per task'
const queue = 'p-queue, no limit'

const results = await interleave(
  [
    { name: bare, measure: () => promisesOf() },
    {
      name: 'null executor, nothing kept',
      against: bare,
      measure: () => flowOf(new ForgetfulStore(), new NullExecutor()),
    },
    {
      name: 'null executor, states in memory',
      against: bare,
      measure: () => flowOf(new MemoryStore(), new NullExecutor()),
    },
    { name: 'null executor, journal', against: bare, measure: () => flowOf(journal(), new NullExecutor()) },
    { name: queue, measure: () => queueOf(new PQueue()) },
    {
      name: 'ConcurrentExecutor, nothing kept',
      against: queue,
      measure: () => flowOf(new ForgetfulStore(), new ConcurrentExecutor()),
    },
    {
      name: 'ConcurrentExecutor, states in memory',
      against: queue,
      measure: () => flowOf(new MemoryStore(), new ConcurrentExecutor()),
    },
    {
      name: 'ConcurrentExecutor, journal',
      against: queue,
      measure: () => flowOf(journal(), new ConcurrentExecutor()),
    },
  ],
  rounds,
)

console.log(`Node ${process.version}, ${cpus().length} cores, ${rounds} rounds of ${tasks} tasks\n`)
console.log(table(results))
rmSync(folder, { recursive: true, force: true })
