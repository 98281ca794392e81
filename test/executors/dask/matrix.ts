import { writeFileSync } from 'node:fs'
import { annotate, isMintakaError } from 'mintaka'
import tap, { type Test } from 'tap'
import { taskKey } from '../../../lib/dask/client/graph.js'
import { decodeValue } from '../../../lib/dask/values/decode.js'
import { daskEnvironments, newestDask } from '../../fixtures/dask/environments.js'
import { validated } from '../../fixtures/dask/scheduler.js'
import { Bench, until } from './fixtures/bench.js'
import * as tasks from './fixtures/tasks.js'

tap.setTimeout(300_000)

const onA = { annotations: { workers: ['a'] } }
const onB = { annotations: { workers: ['b'] } }

/** How many tasks a worker has that could begin, as it last told the scheduler. */
async function waitingAt(bench: Bench, name: string): Promise<number> {
  const client = await bench.client()
  const { workers } = (await client.rpc.call(client.address, 'identity', {})) as {
    workers: Record<string, { name: string; metrics: { task_counts?: { ready?: number } } }>
  }
  return Object.values(workers).find(worker => worker.name === name)?.metrics.task_counts?.ready ?? 0
}

/** What holds on every version, one story after the other on one cluster of two workers. */
const stories: Record<string, (t: Test, bench: Bench) => Promise<void>> = {
  async 'a dependency is fetched from the worker that has it'(t, bench) {
    const lengths = await bench.run(() => {
      const large = tasks.bytes.with(onA)(3_000_000)
      return { here: tasks.lengthOf.with(onA)(large), there: tasks.lengthOf.with(onB)(large) }
    })
    t.strictSame(lengths, { here: 3_000_000, there: 3_000_000 })
  },

  async 'what comes after a call that was cancelled before it was sent never runs, and harms no other'(t, bench) {
    const log = bench.file('unreachable')
    const ends = await bench.run(async () => {
      const others = [tasks.add(1, 1), tasks.echo('b')]
      const first = tasks.echo('a')
      const after = [tasks.echo(first), tasks.noted.with({ waitFor: [first] })(log, 'ran')]
      await first.cancel()
      const states = await Promise.all([...others, ...after].map(future => future.wait()))
      return states.map(({ name }) => name)
    })
    t.strictSame(ends, ['Completed', 'Completed', 'NotReady', 'NotReady'])
    t.strictSame(bench.lines('unreachable'), [])
  },

  async '5,000 tasks end, each with its own value'(t, bench) {
    const values = await bench.run(() => Array.from({ length: 5_000 }, (_, n) => tasks.add(n, 1)))
    t.strictSame(
      values,
      Array.from({ length: 5_000 }, (_, n) => n + 1),
    )
  },

  async 'the more urgent goes first'(t, bench) {
    const [log, gate] = [bench.file('urgent'), bench.file('urgent-gate')]
    await bench.run(async () => {
      const first = tasks.gated.with(onA)(log, 'first', gate)
      await until(() => bench.lines('urgent').length === 1)
      const low = ['l1', 'l2', 'l3'].map(name => annotate({ priority: -10 }, () => tasks.noted.with(onA)(log, name)))
      const high = ['h1', 'h2', 'h3'].map(name => annotate({ priority: 10 }, () => tasks.noted.with(onA)(log, name)))
      await until(async () => (await waitingAt(bench, 'a')) === 6)
      writeFileSync(gate, '')
      return [first, ...low, ...high]
    })
    const order = bench
      .lines('urgent')
      .map(line => line.slice(0, 2))
      .slice(1)
    t.strictSame([...order.slice(0, 3)].sort(), ['h1', 'h2', 'h3'], order.join())
  },

  async 'what takes a resource runs where it is offered'(t, bench) {
    const pids = (await bench.run(() => [
      Array.from({ length: 6 }, () => tasks.processId.with({ annotations: { resources: { GPU: 1 } } })()),
      tasks.processId.with(onB)(),
    ])) as [number[], number]
    t.strictSame([...new Set(pids[0])], [pids[1]])
  },

  async 'no more run at once than there are threads'(t, bench) {
    const log = bench.file('overlap')
    await bench.run(() => Array.from({ length: 8 }, () => tasks.overlapping(log, 20)))
    let [now, most] = [0, 0]
    for (const sign of bench.read('overlap')) most = Math.max(most, (now += sign === '+' ? 1 : -1))
    t.ok(most <= 2, `${most} at once`)
  },

  async 'an error arrives as it was thrown, and what depends on it does not run'(t, bench) {
    const seen = await bench.run(async () => {
      const failed = tasks.fail('out of range')
      const after = tasks.add(failed, 1)
      const [first, second] = await Promise.all([failed.wait(), after.wait()])
      return [first.type === 'FAILED' && first.error, second.name]
    })
    const [error, name] = seen as [RangeError, string]
    t.ok(error instanceof RangeError)
    t.equal(error.message, 'out of range')
    t.match(error.stack, /tasks\.ts:\d+/)
    t.equal(name, 'NotReady')
  },

  async 'Dask itself tries again what has retries as an annotation'(t, bench) {
    const [enough, tooFew] = [bench.file('flaky-3'), bench.file('flaky-1')]
    await bench.run(async () => {
      t.equal(await tasks.flaky.with({ annotations: { retries: 3 } })(enough, 3), 3)
      const failing = tasks.flaky.with({ annotations: { retries: 1 } })(tooFew, 3)
      t.match(await failing.wait(), { type: 'FAILED', error: { message: 'failure 2' } })
      return 'seen'
    })
  },

  async 'an attempt that failed is followed by another, counted here'(t, bench) {
    t.equal(await bench.run(() => tasks.flaky.with({ retries: 2 })(bench.file('flaky-2'), 2)), 2)
  },

  async 'a task that waits is cancelled, and one that runs, also if it never looks up'(t, bench) {
    const [log, gate] = [bench.file('cancel'), bench.file('cancel-gate')]
    const states = await bench.run(async () => {
      const running = tasks.forEver.with(onA)(log)
      await until(() => bench.lines('cancel').length === 1)
      const queued = tasks.gated.with(onA)(log, 'never', gate)
      const [first, second] = [await queued.cancel('not needed'), await running.cancel('enough')]
      return [first.name, second.name, await tasks.add.with(onA)(1, 1)]
    })
    t.strictSame(states, ['Cancelled', 'Cancelled', 2])
    t.equal(bench.lines('cancel').length, 1)
  },

  async 'a task that takes longer than its timeoutMs is stopped'(t, bench) {
    const log = bench.file('deadline')
    await bench.run(async () => {
      const state = await tasks.forEver
        .with({ ...onA, timeoutMs: 100 })(log)
        .wait()
      t.match(state, { name: 'TimedOut', error: { code: 'TIMED_OUT' } })
      t.equal(await tasks.add.with(onA)(1, 1), 2)
      return 'seen'
    })
  },

  async 'a large result stays on the cluster until it is awaited'(t, bench) {
    const [type, length, value] = (await bench.run(async () => {
      const large = tasks.bytes(1_000_000)
      const state = await large.wait()
      const kept = state.type === 'COMPLETED' ? (state.result as object).constructor.name : state.name
      return [kept, await tasks.lengthOf(large), (await large).byteLength]
    })) as [string, number, number]
    t.strictSame([type, length, value], ['ClusterResult', 1_000_000, 1_000_000])
  },

  async 'an argument that many calls share is on the cluster once'(t, bench) {
    const shared = { text: 'x'.repeat(200_000) }
    const sizeOf = await bench.run(async () => {
      const { unmapped } = await import('mintaka')
      const lengths = tasks.textOf.map([1, 2, 3, 4, 5, 6], unmapped(shared))
      return lengths
    })
    t.strictSame(sizeOf, Array(6).fill(200_001))
  },

  async 'what a client scatters is there for tasks'(t, bench) {
    const client = await bench.client()
    const key = taskKey('scattered', `${Math.random()}`)
    await client.scatter(key, { answer: 42 })
    t.strictSame(decodeValue(await client.gather(key)), { answer: 42 })
    client.release([key])
  },

  async 'a worker that comes later takes its share'(t, bench) {
    const gate = bench.file('share-gate')
    const log = bench.file('share')
    await bench.run(async () => {
      const all = Array.from({ length: 40 }, (_, n) => tasks.gatedOnce(log, String(n), gate, 3))
      await until(() => bench.lines('share').length > 0)
      const later = await bench.worker('--name', 'late')
      writeFileSync(gate, '')
      await Promise.all(all)
      const pids = new Set(bench.lines('share').map(line => line.split(' ')[1]))
      t.equal(pids.size, 3, 'all three workers ran some')
      await later.kill('SIGTERM')
    })
    t.equal(bench.lines('share').length, 40)
  },

  async 'the task of a worker that dies is run by another'(t, bench) {
    const file = bench.file('deadly')
    const victim = await bench.worker('--name', 'victim', '--resources', 'VICTIM=1')
    const replacement = bench.run(() => tasks.deadly.with({ annotations: { resources: { VICTIM: 1 } } })(file, 1))
    await until(() => victim.process.signalCode !== null)
    const second = await bench.worker('--name', 'second', '--resources', 'VICTIM=1')
    t.equal(await replacement, 1)
    await second.kill('SIGTERM')
  },

  async 'a task that kills every worker is given up, and says so'(t, bench) {
    const file = bench.file('killer')
    const flowEnded = bench.run(async () => {
      const state = await tasks.deadly
        .with({ annotations: { resources: { DOOMED: 1 } } })(file, 100)
        .wait()
      return [state.type, state.type === 'CRASHED' && isMintakaError(state.error, 'WORKER_LOST')]
    })
    const doomed = async (): Promise<void> => {
      for (let n = 0; n < 4; n++) {
        const worker = await bench.worker('--name', `doomed-${n}`, '--resources', 'DOOMED=1')
        await until(() => worker.process.signalCode !== null)
      }
    }
    await doomed()
    t.strictSame(await flowEnded, ['CRASHED', true])
  },

  async 'a result whose worker died is computed again'(t, bench) {
    const mortal = await bench.worker('--name', 'mortal', '--resources', 'MORTAL=1')
    const result = bench.run(async () => {
      const large = tasks.bytes.with({ annotations: { resources: { MORTAL: 1 } } })(500_000)
      await large.wait()
      await mortal.kill()
      const heir = await bench.worker('--name', 'heir', '--resources', 'MORTAL=1')
      const length = (await large).byteLength
      await heir.kill('SIGTERM')
      return length
    })
    t.equal(await result, 500_000)
  },

  async 'a worker that retires hands on what it has'(t, bench) {
    const retiring = await bench.worker('--name', 'retiring', '--resources', 'RETIRING=1')
    const client = await bench.client()
    const length = await bench.run(async () => {
      const large = tasks.bytes.with({ annotations: { resources: { RETIRING: 1 } } })(500_000)
      await large.wait()
      await client.rpc.call(client.address, 'retire_workers', {
        workers: [retiring.address],
        close_workers: true,
        remove: true,
      })
      await until(() => retiring.process.exitCode !== null)
      t.equal(retiring.process.exitCode, 0)
      return (await large).byteLength
    })
    t.equal(length, 500_000)
  },

  async 'what a flow run left on a cluster is released when it ends'(t, bench) {
    await bench.run(() => [tasks.bytes(200_000), tasks.add(1, 1)])
    const client = await bench.client()
    const held = async () => {
      const keys = await client.rpc.call(client.address, 'who_has', { keys: null })
      return Object.keys(keys as object).length
    }
    await until(async () => (await held()) === 0)
    t.equal(await held(), 0)
  },
}

for (const environment of daskEnvironments()) {
  tap.test(`Dask ${environment.version}`, async t => {
    const workers = [
      ['--name', 'a'],
      ['--name', 'b', '--resources', 'GPU=1'],
    ]
    // To check its whole state after every step costs a scheduler most of its time.
    const env = environment.version === newestDask().version ? validated : {}
    const bench = await Bench.start(t, { environment, env, workers })
    for (const [sentence, story] of Object.entries(stories)) await t.test(sentence, t => story(t, bench))
    t.notMatch(bench.scheduler.logText(), /AssertionError/, 'the scheduler found nothing wrong with itself')
  })
}
