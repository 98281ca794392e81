import { test } from 'tap'
import type { StateType } from '../../lib/core/state.js'
import { mayFollow, transitions } from '../../lib/core/transitions.js'

// One row per type: S P R are the ways on, C F X (crashed) K (cancelled) the ways out, in the order of the columns.
const columns: readonly StateType[] = ['SCHEDULED', 'PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED']
const table: Record<StateType, string> = {
  SCHEDULED: 'S P R C F X K',
  PENDING: 'S P R C F X K',
  RUNNING: 'S . R C F X K',
  COMPLETED: '. . . . . . .',
  FAILED: '. . . . . . .',
  CRASHED: '. . . . . . .',
  CANCELLED: '. . . . . . .',
}

for (const from of columns) {
  test(`what may follow ${from}`, async t => {
    table[from].split(' ').forEach((mark, index) => {
      const to = columns[index] as StateType
      t.equal(mayFollow(from, to), mark !== '.', `${from} → ${to}`)
    })
  })
}

test('the table has a row for every type of state', async t => {
  t.strictSame(Object.keys(transitions), columns)
})
