/** Random lives of a machine, among peers and a scheduler that err as real ones do. */
import { test } from 'tap'
import type { Order } from '../../../workers/dask/task.js'
import { Random } from '../../fixtures/random.js'
import { a, at, b, here, type Input, type Machine, machineOf, type Output } from './fixtures/machine.js'

const seeds = 300
const steps = 400
const names = Array.from({ length: 12 }, (_, n) => `k${n}`)
const resources = { node: 1, GPU: 2, tenths: 1 }
const nthreads = 3

/** A machine, what it was told to do and has not done, and what the scheduler knows of it. */
class World {
  readonly machine: Machine = machineOf({ nthreads, resources, transfers: 2, messageBytes: 25, incomingBytes: 60 })
  readonly runs = new Map<number, { readonly key: string; readonly order: Order<string> }>()
  readonly stopping = new Set<number>()
  readonly transfers = new Map<string, readonly string[]>()
  readonly resting = new Set<string>()
  readonly store = new Map<string, string>()
  /** By key: the run id of an order that has not been answered. */
  readonly ordered = new Map<string, number>()
  readonly random: Random
  private runId = 0

  constructor(seed: number) {
    this.random = new Random(seed)
  }

  handle(...inputs: readonly Input[]): void {
    for (const output of this.machine.handle(...inputs)) this.obey(output)
    this.check()
  }

  compute(): Input {
    const key = this.pick(names)
    const level = names.indexOf(key)
    const dependencies = this.some(names.slice(0, level))
    const runId = ++this.runId
    this.ordered.set(key, runId)
    const order: Order<string> = {
      spec: 'work',
      runId,
      priority: [this.below(3), this.below(3)],
      resources: this.pick([{}, { node: 1e-9 }, { node: 1e-9, GPU: 1 }, { GPU: 2, tenths: 0.1 }, { tenths: 0.3 }]),
      threads: this.random.next() < 0.2 ? 0 : 1,
      dependencies,
    }
    return { type: 'compute-task', key, order, whoHas: at(this.places(dependencies)) }
  }

  free(): Input {
    const keys = this.some(names)
    for (const key of keys) this.ordered.delete(key)
    return { type: 'free-keys', keys }
  }

  steal(): Input {
    return { type: 'steal-request', key: this.pick(names), stimulusId: 's' }
  }

  cancel(): Input {
    const key = this.pick(names)
    // Only what waits is cancelled: the scheduler hears nothing of it.
    const type = this.machine.task(key)?.type
    if (type === 'waiting' || type === 'ready') this.ordered.delete(key)
    return { type: 'cancel-compute', key }
  }

  scatter(): Input {
    const keys = this.some(names).filter(key => !this.store.has(key))
    return { type: 'scattered', values: new Map(keys.map(key => [key, key])) }
  }

  replicas(): Input {
    return this.random.next() < 0.5
      ? { type: 'remove-replicas', keys: this.some(names) }
      : { type: 'acquire-replicas', whoHas: at(this.places(this.some(names))) }
  }

  refresh(keys: readonly string[] = names, mayLie = true): Input {
    const places = this.places(this.some(keys, mayLie ? 0.5 : 1), mayLie)
    return { type: 'refresh-who-has', whoHas: new Map(Object.entries(places)) }
  }

  endRun(run = this.pick([...this.runs.keys()])): Input | undefined {
    if (run === undefined) return undefined
    const { key } = this.runs.get(run) as { key: string }
    this.runs.delete(run)
    const roll = this.random.next()
    if (this.stopping.delete(run) && roll < 0.7) return { type: 'stopped', run }
    if (roll < 0.02) return { type: 'stopped', run }
    return roll < 0.2 ? { type: 'failed', run, failure: 'no' } : { type: 'executed', run, value: key }
  }

  endTransfer(from = this.pick([...this.transfers.keys()]), mayFail = true): Input | undefined {
    if (from === undefined) return undefined
    const keys = this.transfers.get(from) as readonly string[]
    this.transfers.delete(from)
    const roll = mayFail ? this.random.next() : 1
    if (roll < 0.15) return { type: 'busy', from }
    if (roll < 0.3) return { type: 'unreachable', from }
    const brought = this.some(keys, roll < 0.5 ? 0.5 : 1)
    return { type: 'fetched', from, values: new Map(brought.map(key => [key, key])) }
  }

  wake(): Input | undefined {
    const address = this.pick([...this.resting])
    if (address === undefined) return undefined
    this.resting.delete(address)
    return { type: 'retry-peer', address }
  }

  /** Everything goes well from now on, until there is nothing left to do. */
  settle(): void {
    this.handle({ type: 'may-start', mayStart: true })
    for (let turn = 0; turn < 200; turn++) {
      for (const run of [...this.runs.keys()]) this.handle(this.endRun(run) as Input)
      for (const from of [...this.transfers.keys()]) this.handle(this.endTransfer(from, false) as Input)
      while (this.resting.size > 0) this.handle(this.wake() as Input)
      if (this.machine.hasMissing) this.handle({ type: 'find-missing' }, this.refresh(names, false))
    }
  }

  private obey(output: Output): void {
    switch (output.type) {
      case 'execute':
        this.runs.set(output.run, output)
        for (const key of output.order.dependencies) ensure(this.store.has(key), `${output.key} begins without ${key}`)
        return ensure(this.ordered.has(output.key), `${output.key} begins, and nobody wants it`)
      case 'stop':
        ensure(this.runs.has(output.run), `run ${output.run} is stopped and does not run`)
        return void this.stopping.add(output.run)
      case 'fetch':
        ensure(!this.transfers.has(output.from) && !this.resting.has(output.from), `${output.from} is left no peace`)
        ensure(output.from !== here && output.keys.length > 0, 'nothing is fetched')
        return void this.transfers.set(output.from, output.keys)
      case 'retry-peer-later':
        return void this.resting.add(output.address)
      case 'keep':
        ensure(!this.store.has(output.key), `${output.key} is kept twice`)
        return void this.store.set(output.key, output.value)
      case 'drop':
        return ensure(this.store.delete(output.key), `${output.key} is dropped and was not kept`)
      case 'task-finished':
        ensure(this.store.has(output.key), `${output.key} is finished and not kept`)
        return this.answered(output.key, output.runId)
      case 'task-erred':
        return this.answered(output.key, output.runId)
      case 'reschedule':
        return void this.ordered.delete(output.key)
      case 'steal-response':
        if (['ready', 'constrained', 'waiting'].includes(output.state ?? '')) this.ordered.delete(output.key)
        return
      case 'add-keys':
        return ensure(
          output.keys.every(key => this.store.has(key)),
          'keys are added that are not kept',
        )
    }
  }

  private answered(key: string, runId: number | undefined): void {
    ensure(this.ordered.get(key) === runId, `${key} is answered for run ${runId}, not ${this.ordered.get(key)}`)
    this.ordered.delete(key)
  }

  private check(): void {
    const { machine } = this
    const types = names.map(key => machine.task(key)?.type).filter(type => type !== undefined)
    const counts = Object.values(machine.counts).reduce((sum, count) => sum + count, 0)
    ensure(counts === types.length, 'the counts are wrong')
    for (const key of names) {
      ensure(
        (machine.task(key)?.type === 'memory') === this.store.has(key),
        `${key}: what is kept is what is in memory`,
      )
      const isOrdered = ['waiting', 'ready', 'executing'].includes(machine.task(key)?.type ?? '')
      ensure(
        isOrdered === this.ordered.has(key),
        `${key} is ${machine.task(key)?.type}, ordered: ${this.ordered.has(key)}`,
      )
    }
    ensure(machine.threadsTaken <= nthreads, 'too many threads are taken')
    for (const [name, taken] of Object.entries(machine.resourcesTaken)) {
      const total = resources[name as keyof typeof resources]
      ensure(taken >= 0 && taken <= total * (1 + 1e-9), `${taken} of ${name} is taken`)
    }
    ensure(machine.incoming.transfers === this.transfers.size, 'the transfers are wrong')
    if (this.runs.size === 0) ensure(machine.threadsTaken === 0, 'threads are taken by nobody')
  }

  private places(keys: readonly string[], mayLie = true): Record<string, readonly string[]> {
    const anywhere = mayLie ? [[a], [b], [a, b], [], [here], [a, here]] : [[a], [b], [a, b]]
    return Object.fromEntries(keys.map(key => [key, this.pick(anywhere)]))
  }

  private below(limit: number): number {
    return this.random.below(limit)
  }

  pick<T>(items: readonly T[]): T {
    return this.random.of(items)
  }

  private some<T>(items: readonly T[], share = 0.2): T[] {
    return items.filter(() => this.random.next() < share)
  }
}

function ensure(isTrue: boolean, otherwise: string): void {
  if (!isTrue) throw new Error(otherwise)
}

function live(seed: number): World {
  const world = new World(seed)
  const kinds: readonly (() => Input | undefined)[] = [
    () => world.compute(),
    () => world.compute(),
    () => world.compute(),
    () => world.free(),
    () => world.steal(),
    () => world.cancel(),
    () => world.scatter(),
    () => world.replicas(),
    () => world.refresh(),
    () => world.endRun(),
    () => world.endRun(),
    () => world.endRun(),
    () => world.endTransfer(),
    () => world.endTransfer(),
    () => world.wake(),
    () => ({ type: 'find-missing' }),
    () => ({ type: 'remove-worker', address: world.pick([a, b]) }),
    () => ({ type: 'may-start', mayStart: world.random.next() < 0.7 }),
  ]
  for (let step = 0; step < steps; step++) {
    const input = world.pick(kinds)()
    if (input) world.handle(input)
  }
  return world
}

test('whatever happens, a key is in one place, nothing is taken that is not given back, and every order ends', async t => {
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      const world = live(seed)
      world.settle()
      ensure(world.ordered.size === 0, `orders without an answer: ${[...world.ordered.keys()]}`)
      ensure(world.machine.threadsTaken === 0 && world.runs.size === 0, 'something still runs')
      ensure(!world.machine.hasMissing, 'something is still missing')
    } catch (error) {
      return t.fail(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`)
    }
  }
  t.pass(`${seeds} lives of ${steps} steps`)
})
