import * as fs from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'tap'
import { enter } from '../../../lib/core/run.js'
import { states } from '../../../lib/core/state.js'
import { Batch } from '../../../lib/store/journal/batch.js'
import { Journal } from '../../../lib/store/journal/journal.js'
import type { JournalFs } from '../../../lib/store/journal/segment.js'
import { JsonStore } from '../../../lib/store/json.js'
import { flowRunLine } from '../../../lib/store/lines/flow-run-line.js'
import { closedLine, format, headerLine } from '../../../lib/store/lines/line.js'
import { logLine } from '../../../lib/store/lines/log-line.js'
import { stateLine } from '../../../lib/store/lines/state-line.js'
import { thisProcess } from '../../../lib/store/process-id.js'
import { codec } from '../../../lib/values/json.js'
import { callOf, calls } from '../fixtures/calls.js'
import { violations } from '../fixtures/invariants.js'
import { flowRun } from '../fixtures/runs.js'

/** A disk that fails at each of those syncs. */
function failingAt(...failing: number[]): { fs: JournalFs; syncs: () => number } {
  let syncs = 0
  const fdatasync = (_fd: number, done: (error: Error | null) => void) => {
    syncs += 1
    setImmediate(done, failing.includes(syncs) ? new Error('EIO') : null)
  }
  return { fs: { ...fs, fdatasync: fdatasync as typeof fs.fdatasync }, syncs: () => syncs }
}

const cases = [[1], [2], [3], [1, 2, 3], [2, 5]].flatMap(failing =>
  (['process', 'power'] as const).map(durability => ({ failing, durability })),
)

for (const { failing, durability } of cases)
  test(`lines that were written again after a failed sync (${failing}, ${durability}) are read once`, async t => {
    const folder = t.testdir({ journals: {} })
    const disk = failingAt(...failing)
    const journal = new Journal({
      folder: `${folder}/journals`,
      name: 'w',
      header: (name, segment) =>
        headerLine({ format, owner: 'w', process: thisProcess(), created: 1000, journal: name, segment }),
      durability,
      warn: () => {},
      fs: disk.fs,
    })
    const batch = new Batch(journal, codec)
    const flow = flowRun('flow')
    journal.append(flowRunLine(flow, journal.next(), codec))
    const runs = Array.from({ length: 20 }, (_, number) => callOf(calls('flow'), number))
    for (const [index, run] of runs.entries()) {
      t.ok(batch.create(run) && batch.enter(run, states.running(1001, 1), true))
      const message = `line ${index}`
      journal.append(logLine({ flowRunId: 'flow', level: 'info', message, timestamp: 1001 }, journal.next(), codec))
      t.ok(batch.enter(run, states.completed(1002, index), true))
      await journal.acknowledged()
      // Syncs come when they come: some of these lines are in one that fails.
      if (index % 3 === 0) await nextTurn()
    }
    const end = states.completed(2000, 'done')
    enter(flow, end)
    journal.append(stateLine(flow, journal.next(), end, codec, true))
    while (disk.syncs() <= failing.at(-1)! || journal.degraded) await nextTurn()
    await journal.close(seq => closedLine(seq, 3000))
    t.ok(fs.readdirSync(`${folder}/journals`).length > 1, 'there is another segment')

    const store = new JsonStore({ folder })
    await store.open({ owner: 'reader', codec, readOnly: true, warn: message => t.fail(message) })
    t.teardown(() => store.close())
    const read = await store.listTaskRuns('flow')
    t.strictSame(
      read.map(({ run, states }) => [run.id, states.map(({ name }) => name)]),
      runs.map(({ id }) => [id, ['Pending', 'Running', 'Completed']]),
    )
    t.equal((await store.listLogs('flow')).length, 20)
    t.strictSame(
      (await store.getFlowRun('flow'))?.states.map(({ name }) => name),
      ['Pending', 'Completed'],
    )
    t.equal((await store.getTaskRun('flow-7'))?.states.length, 3)
    t.strictSame(await violations(folder), [])
  })
