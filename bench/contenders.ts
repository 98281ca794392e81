/** Whoever carries out functions on threads, behind one door: Piscina, the library's pool by itself, and a flow. */
import { createEngine, flow, MemoryStore, ParallelExecutor, type Store, task } from 'mintaka'
import { Piscina } from 'piscina'
import type { Body } from './bodies.js'
import { BarePool } from './pool.js'

export const threads = 2

/** Calls the function on a thread. */
export type Run = (value: number) => PromiseLike<unknown>
/** Makes calls, and gives how long they took. */
export type Load = (run: Run) => Promise<number>

/** Keeps its threads from one measurement to the next. */
export interface Contender extends AsyncDisposable {
  readonly name: string
  measure(load: Load): Promise<number>
}

/** As many calls as start every thread and let it load the function. */
export async function warm(run: Run): Promise<void> {
  await Promise.all(Array.from({ length: 200 }, () => run(0)))
}

/** A contender of which only `run` is known. */
export function contender(name: string, run: Run, close: () => Promise<unknown>): Contender {
  return {
    name,
    async measure(load) {
      await warm(run)
      return await load(run)
    },
    async [Symbol.asyncDispose]() {
      await close()
    },
  }
}

/** Our loader for TypeScript is not for its threads. */
export function onPiscina({ url, exportName }: Body): Contender {
  const pool = new Piscina({ filename: url, name: exportName, minThreads: threads, maxThreads: threads, execArgv: [] })
  return contender(
    'piscina.run',
    value => pool.run(value),
    () => pool.destroy(),
  )
}

export function onThreadPool(body: Body): Contender {
  const pool = new BarePool(threads)
  return contender('ThreadPool', pool.runner(body), () => pool[Symbol.asyncDispose]())
}

/** In a flow, each time on an engine of its own; the executor stays. */
export function inFlow(
  { url, exportName }: Body,
  name = 'flow',
  store: () => Store = () => new MemoryStore(),
): Contender {
  const executor = new ParallelExecutor({ threads })
  const run = task.fromModule<[number], unknown>(url, exportName)
  return {
    name,
    async measure(load) {
      const engine = createEngine({ store: store() })
      const measured = async () => {
        await warm(run)
        return await load(run)
      }
      const time = await engine.run(flow('measured', measured, { executor }))
      await engine.close()
      return time
    },
    async [Symbol.asyncDispose]() {},
  }
}
