import { setTimeout as delay } from 'node:timers/promises'
import type { Engine, Executor } from 'mintaka'

/** What a test of the suite works with. */
export interface Bench {
  readonly engine: Engine
  readonly executor: Executor
  /** A path in a folder of the test's own. */
  readonly file: (name: string) => string
}

/** A test of the suite, with a bench of its own. */
export type ExecutorTest = (name: string, body: (bench: Bench) => Promise<void>) => void

/** For what happens elsewhere: a worker cannot tell the test, only the file system. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('what the test waited for did not happen within 20 s')
    await delay(2)
  }
}
