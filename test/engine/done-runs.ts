import { test } from 'tap'
import { DoneRuns, defaultPolicy, type EarlierRun } from '../../lib/engine/done-runs.js'

const call = { taskKey: 'k', taskName: 'apart', name: 'apart-0', inputHash: 'h', taskVersion: undefined, inputs: [] }

function subflow(childFlowRunId: string, end: EarlierRun['end']): EarlierRun {
  return { ...call, end, childFlowRunId }
}

test('a subflow goes on from the one that had begun, not from one that was killed before it could', async t => {
  const done = new DoneRuns(false)
  // The newest comes first: called by a run that continued the first one, and died at once.
  done.continue(
    [subflow('third', 'not begun'), subflow('second', 'not begun'), subflow('first', 'begun')],
    defaultPolicy,
  )
  t.match(done.match(call), { type: 'known', run: { childFlowRunId: 'first' } })
  t.match(done.match(call), { type: 'known', run: { childFlowRunId: 'third' } })
})
