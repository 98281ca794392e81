import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import tap, { type Test, test } from 'tap'
import { enter, type Run } from '../../../lib/core/run.js'
import { isTerminal, type State, states } from '../../../lib/core/state.js'
import type { Store } from '../../../lib/core/store.js'
import type { TaskRecord } from '../../../lib/engine/task-record.js'
import { JsonStore } from '../../../lib/store/json.js'
import { readBatch } from '../../../lib/store/lines/batch-reader.js'
import { headerLine } from '../../../lib/store/lines/line.js'
import { seal } from '../../../lib/store/lines/seal.js'
import { MemoryStore } from '../../../lib/store/memory.js'
import { thisProcess } from '../../../lib/store/process-id.js'
import { codec } from '../../../lib/values/json.js'
import { Random } from '../../fixtures/random.js'
import { callOf, calls, plain } from '../fixtures/calls.js'
import { flowRun, taskRun } from '../fixtures/runs.js'

tap.setTimeout(240_000) // hundreds of stores are opened, on whatever machine this is

let openings = 0

async function opened(t: Test, folder = t.testdir()) {
  const store = new JsonStore({ folder })
  const owner = `engine-${++openings}`
  let isOver = false
  await store.open({ owner, codec, warn: message => isOver || t.fail(message) })
  t.teardown(() => {
    isOver = true
    return store.close()
  })
  /** The lines of its journal, but for the two headers. */
  const lines = () => {
    const text = readFileSync(`${folder}/journals/${owner}.0001.ndjson`, 'utf8')
    return text.split('\n').slice(2, -1)
  }
  return { store, folder, lines }
}

async function openedWithFlow(t: Test) {
  const { store, folder, lines } = await opened(t)
  await store.createFlowRun(flowRun('flow'))
  return { store, folder, lines: () => lines().slice(1) }
}

function change(store: Store, run: Run, state: State, persist?: boolean) {
  enter(run, state)
  return store.appendState(run, state, persist === undefined ? undefined : { persist })
}

function withoutSeal(line: string): unknown {
  const { z, ...fields } = JSON.parse(line)
  assert.match(z, /^[0-9a-f]{8}$/)
  return fields
}

const resultsOf = async (store: Store) =>
  (await store.listTaskRuns('flow')).map(({ run: { state } }) => state.type === 'COMPLETED' && state.result)

test('what happens to the task runs of a flow run in one turn is one line, in the order of the calls', async t => {
  const { store, lines } = await openedWithFlow(t)
  const square = calls('flow')
  const runs = [0, 1, 2, 3].map(number => callOf(square, number, { at: 1000 + number / 8 }))
  for (const run of runs) store.createTaskRun(run)
  for (const run of runs.slice(0, 2)) change(store, run, states.running(1001, 1))
  change(store, runs[1]!, states.completed(1002.5, 'one'))
  change(store, runs[2]!, states.running(1003, 1))
  await change(store, runs[0]!, states.completed(1003, { zero: 0 }))
  t.strictSame(
    lines().map(line => withoutSeal(line)),
    [
      {
        b: 'flow',
        q: 2,
        n: [0, 3],
        rows: 'PPPPRRCRO',
        P: {
          n: [0, 4],
          at: [1000, 1, 512, 1, 512, 1, 512, 1],
          tasks: [{ stem: 'square-3f9c21d0-', task: 'square', key: '3f9c21d0aa', dk: 0 }],
          in: [0, 1, 2, 3],
        },
        R: { n: [0, 3], at: [1001, 2, 8192, 1] },
        C: { n: [1, 1, 0, 1], at: [1002.5, 1, 2048, 1], r: ['one'], o: ['{"zero":0}'] },
      },
    ],
  )
  for (const run of runs) {
    const stored = await store.getTaskRun(run.id)
    t.strictSame(plain(stored?.run), plain(run))
  }
  t.strictSame(
    (await store.getTaskRun('flow-0'))?.states.map(state => state.timestamp),
    [1000, 1001, 1003],
  )
  t.equal(await store.getTaskRun('flow-4'), undefined)
  t.equal(await store.getTaskRun('flow-00'), undefined)
})

test('whatever else is written ends a batch: lines stand in the order of the calls', async t => {
  const { store, lines } = await openedWithFlow(t)
  await store.createFlowRun(flowRun('other'))
  const [here, there] = [calls('flow'), calls('other')]
  const [first, second] = [callOf(here, 0), callOf(there, 0)]
  store.createTaskRun(first)
  store.createTaskRun(second)
  change(store, first, states.running(1001, 1))
  store.appendLog({ flowRunId: 'flow', level: 'info', message: 'between', timestamp: 1002 })
  change(store, second, states.running(1002, 1))
  change(store, second, states.failed(1003, new Error('no')))
  await change(store, first, states.completed(1003, 1))
  const kinds = lines()
    .map(line => JSON.parse(line))
    .map(line => [Object.keys(line)[0], line.q, line.rows ?? line.is])
  t.strictSame(kinds, [
    ['f', 2, 'Pending'],
    ['b', 3, 'P'],
    ['b', 4, 'P'],
    ['b', 5, 'R'],
    ['l', 6, undefined],
    ['b', 7, 'R'],
    ['u', 8, 'Failed'],
    ['b', 9, 'C'],
  ])
})

test('those of one turn share an acknowledgement, which comes after their line', async t => {
  const { store, lines } = await openedWithFlow(t)
  const runs = Array.from({ length: 10 }, (_, number) => callOf(calls('flow'), number))
  for (const run of runs) t.equal(store.createTaskRun(run), undefined)
  const acks = runs.map(run => change(store, run, states.completed(1001, run.number)))
  t.equal(new Set(acks).size, 1)
  t.strictSame(lines(), [])
  await acks[0]
  t.equal(lines().length, 1)
  const later = change(store, callOf(calls('flow'), 10), states.completed(1001, 1))
  t.not(later, acks[0])
  await later
})

test('a turn that never ends is written as it goes, in lines of bounded length', async t => {
  const { store, lines } = await openedWithFlow(t)
  const square = calls('flow')
  for (let number = 0; number < 40_000; number += 1) store.createTaskRun(callOf(square, number))
  const written = lines()
  t.strictSame(
    written.map(line => JSON.parse(line).rows.length),
    [16384, 16384],
  )
  for (let number = 0; number < 2000; number += 1)
    change(store, callOf(square, number), states.completed(1001, { text: 'x'.repeat(1000) }))
  const [, , ...large] = lines()
  t.ok(large.length >= 6 && large.every(line => line.length < 600_000), `${large.length} lines`)
  await store.close()
})

test('a result is written as it is at the call', async t => {
  const { store } = await openedWithFlow(t)
  const run = callOf(calls('flow'), 0)
  const result = { list: [1] }
  store.createTaskRun(run)
  const ack = change(store, run, states.completed(1001, result))
  result.list.push(2)
  await ack
  t.strictSame(await resultsOf(store), [{ list: [1] }])
})

test('a result whose getter writes a line itself does not disturb the batch', async t => {
  const { store, lines } = await openedWithFlow(t)
  const [run, other] = [callOf(calls('flow'), 0), callOf(calls('other'), 0)]
  store.createTaskRun(run)
  const result = {
    get value() {
      store.appendLog({ flowRunId: 'flow', level: 'info', message: 'read', timestamp: 1 })
      store.createTaskRun(other)
      return 7
    },
  }
  await change(store, run, states.completed(1001, result))
  t.equal(lines().length, 4)
  t.strictSame(await resultsOf(store), [{ value: 7 }])
})

test('a result that is too large, refused or not wanted says so, in the batch too', async t => {
  const { store, lines } = await openedWithFlow(t)
  const results: [unknown, boolean][] = [
    [new Float64Array(32 * 1024 * 1024), true],
    ['x'.repeat(64 * 1024 * 1024 + 1), true],
    [() => 1, true],
    ['secret', false],
    [undefined, false],
  ]
  for (const [number, [result, persist]] of results.entries()) {
    const run = callOf(calls('flow'), number)
    store.createTaskRun(run)
    change(store, run, states.completed(1001, result), persist)
  }
  t.match(await resultsOf(store), [
    { notPersisted: /^too large: 341\.3 MiB or more, the limit is 64\.0 MiB$/ },
    { notPersisted: /^too large: 64\.0 MiB, the limit is 64\.0 MiB$/ },
    { notPersisted: /function/ },
    { notPersisted: 'not wanted' },
    { notPersisted: 'not wanted' },
  ])
  t.equal(lines().length, 1)
})

test('any sequence of calls reads as a store in memory reads it', async t => {
  const results = [
    undefined,
    null,
    true,
    0,
    -0,
    1.5,
    Number.NaN,
    1e21,
    'text "quoted"\n ünd 💥',
    'x'.repeat(2000),
    12n,
    { a: [1, { b: null }] },
    { $mintaka: 'poses' },
    [],
    new Map([['k', 1]]),
    new Uint8Array([1, 2, 3]),
  ]
  for (let seed = 1; seed <= 25; seed += 1) {
    const { store, folder } = await opened(t)
    const memory = new MemoryStore()
    await memory.open({ owner: `engine-${openings}` })
    const both = [memory, store]
    const random = new Random(seed)
    const below = (limit: number) => random.below(limit)
    const flows = Array.from({ length: 1 + below(3) }, (_, index) => flowRun(`flow${'é-'.repeat(index)}`))
    for (const flow of flows) for (const each of both) each.createFlowRun(flow)
    const tasks = flows.flatMap(({ id }) => [
      calls(id),
      calls(id, { taskName: 'a "b"', tags: ['db', 'slow'] }),
      calls(id, { runName: 'its own name' }),
    ])
    const counts = new Map<unknown, number>()
    const count = (what: unknown) => {
      const number = (counts.get(what) ?? -1) + 1
      counts.set(what, number)
      return number
    }
    let now = 1_767_225_600_000 + below(1000) / 7
    const tick = () => (now += [0, 0, 0, 1, below(4096) / 4096, random.next(), -below(3), 1e9][below(8)]!)
    const runs: Run[] = []
    for (let step = 0; step < 300; step += 1) {
      tick()
      const which = below(10)
      if (which < 4 || runs.length === 0) {
        let run: Run
        if (below(8) === 0)
          run = taskRun(`run-${step}`, flows[below(flows.length)]!.id, { created: now, state: states.pending(now) })
        else {
          const task = tasks[below(below(2) === 0 ? 1 : tasks.length)]!
          const common = below(10) === 0 ? { ...task, tags: [...task.tags] } : task
          const options = [
            {},
            {},
            { args: [] },
            { args: [step, 1.5] },
            { args: ['text'] },
            { args: [-0] },
            {
              described: [
                { name: '0', runs: ['a', 'b'] },
                { name: '1', preview: '{}' },
              ],
            },
            { described: [{ name: 'waitFor', runs: ['é'] }] },
          ][below(8)]!
          const dk = count(task) + (below(20) === 0 ? 5 : 0)
          run = callOf(common, count(task.flowRunId), { dk, at: now, ...options })
        }
        for (const each of both) each.createTaskRun(run as TaskRecord)
        runs.push(run)
      } else if (which < 9) {
        const run = runs[below(below(2) === 0 ? runs.length : Math.min(runs.length, 3))]!
        if (isTerminal(run.state)) continue
        const error = new RangeError('it failed')
        const state = [
          states.running(now, run.runCount + 1),
          states.running(now, run.runCount + 1),
          states.completed(now, results[below(results.length)]),
          states.completed(now, below(1000)),
          states.completed(now, step, below(3) === 0 ? 'with a message' : undefined),
          states.cached(now, step, 'other-1'),
          states.failed(now, error),
          states.awaitingRetry(now, now + 5, 1, error),
          states.cancelling(now, 1, 'enough'),
          states.notReady(now, 'up', error),
        ][below(10)]!
        enter(run, state)
        const persist = [undefined, undefined, true, false][below(4)]
        for (const each of both) each.appendState(run, state, { persist })
      } else if (below(2) === 0) {
        const entry = { flowRunId: flows[0]!.id, level: 'info', message: `${step}`, timestamp: now } as const
        for (const each of both) each.appendLog(entry)
      } else await nextTurn()
      if (below(60) === 0) await compare(store, memory, flows, runs)
    }
    await compare(store, memory, flows, runs)
    await store.close()
    const again = new JsonStore({ folder })
    await again.open({ owner: 'again', codec, readOnly: true, warn: message => t.fail(message) })
    try {
      await compare(again, memory, flows, runs)
    } catch (error) {
      t.fail(`seed ${seed}`, { error })
      return
    }
  }
})

async function compare(store: Store, memory: Store, flows: readonly Run[], runs: readonly Run[]): Promise<void> {
  for (const { id } of flows) {
    assert.deepEqual(plain(await store.listTaskRuns(id)), plain(await memory.listTaskRuns(id)))
    assert.deepEqual(await store.listLogs(id), await memory.listLogs(id))
  }
  for (const run of runs.slice(0, 5))
    assert.deepEqual(plain(await store.getTaskRun(run.id)), plain(await memory.getTaskRun(run.id)))
}

test('a batch that ends anywhere opens, and loses only itself', async t => {
  const { store, folder, lines } = await openedWithFlow(t)
  const runs = Array.from({ length: 6 }, (_, number) => callOf(calls('flow'), number))
  for (let turn = 0; turn < 3; turn += 1) {
    for (const run of runs.slice(turn * 2, turn * 2 + 2)) {
      store.createTaskRun(run)
      change(store, run, states.running(1001, 1))
    }
    await change(store, runs[turn]!, states.completed(1002, { turn }))
  }
  t.equal(lines().length, 3)
  const text = readFileSync(`${folder}/journals/engine-${openings}.0001.ndjson`, 'utf8')
  await store.close()
  const ends = [...text.matchAll(/\n/g)].map(match => match.index + 1)
  const torn = t.testdir({ journals: {} })
  const path = `${torn}/journals/w.0001.ndjson`
  for (let end = text.length; end >= ends[2]!; end -= 1) {
    writeFileSync(path, text)
    truncateSync(path, end)
    const reader = new JsonStore({ folder: torn })
    await reader.open({ owner: 'r', codec, readOnly: true, warn: message => t.fail(message) })
    const turns = ends.filter(each => each <= end).length - 3
    const read = await reader.listTaskRuns('flow')
    const count = read.reduce((sum, { states }) => sum + states.length, 0)
    if (read.length !== turns * 2 || count !== turns * 5) t.fail(`at byte ${end}: ${read.length} runs, ${count} states`)
  }
})

test('task runs of a batch whose process has died become CRASHED, unless they had settled', async t => {
  const { store, folder, lines } = await openedWithFlow(t)
  const runs = Array.from({ length: 4 }, (_, number) => callOf(calls('flow'), number))
  for (const run of runs) store.createTaskRun(run)
  change(store, runs[1]!, states.running(1001.25, 1))
  change(store, runs[2]!, states.failed(1002, new Error('no')))
  change(store, runs[3]!, states.running(1001.25, 1))
  await change(store, runs[3]!, states.completed(1003.75, new Map()))
  t.equal(lines().length, 3)
  const { started, ...here } = thisProcess()
  const dead = { ...here, pid: spawnSync(process.execPath, ['--version']).pid, ...(started && { started: '1' }) }
  const [, , ...rest] = readFileSync(`${folder}/journals/engine-${openings}.0001.ndjson`, 'utf8').split('\n')
  const header = seal(headerLine({ format: 3, owner: 'w', process: dead, created: 1000, journal: 'w', segment: 1 }))
  const orphaned = join(folder, 'orphaned')
  mkdirSync(join(orphaned, 'journals'), { recursive: true })
  writeFileSync(join(orphaned, 'journals', 'w.0001.ndjson'), header + header + rest.join('\n'))
  const heir = new JsonStore({ folder: orphaned })
  const warnings: string[] = []
  await heir.open({ owner: 'heir', codec, warn: message => warnings.push(message) })
  t.match(warnings, [/^3 runs of process .* are CRASHED/])
  const ends = (await heir.listTaskRuns('flow')).map(({ run }) => [run.state.name, run.endTime, run.totalRunTimeMs])
  t.strictSame(ends, [
    ['Crashed', 1003.75, 0],
    ['Crashed', 1003.75, 2.5],
    ['Failed', 1002, 0],
    ['Completed', 1003.75, 2.5],
  ])
  t.equal((await heir.getTaskRun('flow-1'))?.states.length, 3)
  await heir.close()
})

test('a batch line that makes no sense is left out as a whole', t => {
  const listener = { created: () => t.fail('created'), entered: () => t.fail('entered') }
  const R = { n: [0, 2], at: [1, 2] }
  for (const fields of [
    { b: 1, rows: 'R', R },
    { b: 'flow', R },
    { b: 'flow', rows: 'R', R },
    { b: 'flow', rows: 'RRR', R },
    { b: 'flow', rows: 'RR', R: { n: [0, 2], at: [1, 1] } },
    { b: 'flow', rows: 'RRC', R },
    { b: 'flow', rows: 'RR?', R },
    { b: 'flow', rows: 'CC', C: { ...R, r: [1] } },
    { b: 'flow', rows: 'OO', C: { ...R, o: ['1'] } },
    { b: 'flow', rows: 'XX', C: { ...R, x: ['1'] } },
    { b: 'flow', rows: 'PP', P: R },
    { b: 'flow', rows: 'PP', P: { ...R, tasks: [{}, {}], of: [0, 1] } },
    { b: 'flow', rows: 'PP', P: { ...R, tasks: [{}, {}], of: [0, 1, 2, 1] } },
    { b: 'flow', rows: 'PP', P: { ...R, tasks: [{}], in: [1] } },
    null,
  ])
    t.equal(readBatch(JSON.stringify(fields), listener, codec), false, JSON.stringify(fields))
  t.equal(readBatch('{"b":"flow","rows":"R', listener, codec), false)
  t.end()
})
