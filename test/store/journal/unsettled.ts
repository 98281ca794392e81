import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { test } from 'tap'
import { UnsettledTasks } from '../../../lib/store/journal/unsettled.js'
import { seal } from '../../../lib/store/lines/seal.js'
import { scanWholeLines } from '../../../lib/store/lines/whole-lines.js'

/** Shows some lines, as a journal has them, to one who looks for what has not settled. */
async function shown(t: Test, lines: readonly string[]): Promise<UnsettledTasks> {
  const path = join(t.testdir(), 'lines.ndjson')
  writeFileSync(path, lines.map(line => seal(`${line}\n`)).join(''))
  const tasks = new UnsettledTasks()
  await scanWholeLines(path, 0, line => void tasks.visit(line), { sealed: true, onDamage: () => {} })
  return tasks
}

const made = (id: string, at: number, more = '') =>
  `{"t":"${id}","f":"flow","q":1,"name":"${id}"${more},"task":"load","key":"k","dk":0,"created":${at},"is":"Pending","at":${at}}`
const entered = (id: string, state: string, at: number) => `{"u":"${id}","q":2,"is":"${state}","at":${at},"n":1}`

test('a run is unsettled until its last state', async t => {
  const tasks = await shown(t, [
    made('flow-0', 1),
    made('flow-1', 2),
    made('flow-2', 3),
    entered('flow-0', 'Running', 4),
    entered('flow-1', 'Running', 5),
    entered('flow-0', 'Completed', 6.5),
  ])
  t.match(tasks.runs(), [
    { id: 'flow-1', runCount: 1, state: { name: 'Running' } },
    { id: 'flow-2', runCount: 0, state: { name: 'Pending' } },
  ])
  t.equal(tasks.lastRecord, 6.5)
})

test('one that rests because of another has settled, one that will be tried again has not', async t => {
  const tasks = await shown(t, [
    made('flow-0', 1),
    made('flow-1', 2),
    '{"u":"flow-0","q":3,"is":"NotReady","at":3,"up":"flow-9"}',
    entered('flow-1', 'Running', 4),
    '{"u":"flow-1","q":5,"is":"AwaitingRetry","at":5,"for":9,"n":1}',
  ])
  t.match(tasks.runs(), [{ id: 'flow-1', state: { name: 'AwaitingRetry' } }])
  t.equal(tasks.runs().length, 1)
})

test('what a person has written into a line is not taken for a field', async t => {
  const name = ',"tags":["\\"is\\":\\"Completed\\",\\"at\\":9"]'
  const tasks = await shown(t, [made('flow-0', 1, name), `${made('flow-1', 2, `,"tags":["${'ü'.repeat(5000)}"]`)}`])
  t.match(tasks.runs(), [
    { id: 'flow-0', tags: ['"is":"Completed","at":9'] },
    { id: 'flow-1', tags: ['ü'.repeat(5000)] },
  ])
  t.equal(tasks.lastRecord, 2)
})

test('runs may begin in a line of their own and end in a batch, and the other way round', async t => {
  const batch = (q: number, rows: string, fields: string) =>
    `{"b":"flow","q":${q},"n":[0,9],"rows":"${rows}",${fields}}`
  const tasks = await shown(t, [
    made('flow-0', 1),
    batch(
      2,
      'PR',
      '"P":{"n":[1,1],"at":[2,1],"tasks":[{"stem":"load-","task":"load","key":"k","dk":1}]},"R":{"n":[0,1],"at":[3,1]}',
    ),
    batch(3, 'V', '"C":{"n":[0,1],"at":[4,1]}'),
    entered('flow-1', 'Running', 5),
  ])
  t.match(tasks.runs(), [{ id: 'flow-1', state: { name: 'Running' } }])
  t.equal(tasks.runs().length, 1)
  const ended = await shown(t, [
    batch(1, 'P', '"P":{"n":[1,1],"at":[2,1],"tasks":[{"stem":"load-","task":"load","key":"k","dk":1}]}'),
    entered('flow-1', 'Cancelled', 5),
  ])
  t.strictSame(ended.runs(), [])
})
