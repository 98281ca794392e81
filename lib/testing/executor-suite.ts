import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine, type Executor, MemoryStore } from 'mintaka'
import type { ExecutorTest } from './executor-suite/bench.js'
import { callTests } from './executor-suite/calls.js'
import { sessionTests } from './executor-suite/sessions.js'
import { stoppingTests } from './executor-suite/stopping.js'
import { valueTests } from './executor-suite/values.js'
import type { TestRunner } from './test-runner.js'

/** Options of {@link executorSuite}. */
export interface ExecutorSuiteOptions {
  /** Whether tasks that are ready run at the same time. Default true; false for executors with one slot. */
  readonly overlaps?: boolean
}

/**
 * What every executor promises, as tests: values and errors arrive as they were, each call runs once, edges hold,
 * attempts are counted, contexts are right, calls can be stopped, and sessions end before their flow run does.
 *
 * ```ts
 * import { test } from 'node:test'
 * executorSuite({ test }, () => new MyExecutor())
 * ```
 */
export function executorSuite(t: TestRunner, makeExecutor: () => Executor, options: ExecutorSuiteOptions = {}): void {
  const { overlaps = true } = options

  const test: ExecutorTest = (name, body) => {
    t.test(name, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'mintaka-suite-'))
      const engine = createEngine({ store: new MemoryStore(), logger: silent })
      try {
        await body({ engine, executor: makeExecutor(), file: name => join(folder, name) })
      } finally {
        await engine.close({ timeoutMs: 5_000 })
        rmSync(folder, { recursive: true, force: true })
      }
    })
  }

  valueTests(test)
  callTests(test, overlaps)
  stoppingTests(test)
  sessionTests(test)
}

const silent = { debug() {}, info() {}, warn() {}, error() {} }
