import { readdirSync } from 'node:fs'
import { test } from 'tap'
import { isMintakaError } from '../../lib/core/errors.js'
import { states } from '../../lib/core/state.js'
import { seal } from '../../lib/store/lines/seal.js'
import { type ProcessId, thisProcess } from '../../lib/store/process-id.js'
import { deadProcess, folderWith, typesOf, unfinishedJournal } from './fixtures/left-behind.js'
import { change, flowRun, taskRun } from './fixtures/runs.js'
import { carryOut, fold, opened } from './fixtures/sessions.js'

test('runs of a dead process become CRASHED at the next opening, what rests and what has ended stays', async t => {
  const dead = deadProcess()
  const folder = folderWith(t, await unfinishedJournal(t, dead))
  const { store, warnings } = await opened(t, folder)
  t.match(warnings, [new RegExp(`^3 runs of process ${dead.pid} are CRASHED`)])
  const expected = { done: 'Completed', 'under-way': 'Crashed', resting: 'NotReady', waiting: 'Crashed' }
  t.strictSame(await typesOf(store), expected)
  const crashed = await store.getTaskRun('under-way')
  const state = crashed?.run.state
  t.ok(state?.type === 'CRASHED' && isMintakaError(state.error, 'CRASHED'))
  t.equal(
    state?.message,
    `The process ${dead.pid} on host '${dead.host}' that carried out task run 'name-of-under-way' ended without finishing it. Its last record is from 1970-01-01T00:00:01.005Z.`,
  )
  t.strictSame([crashed?.run.endTime, crashed?.run.totalRunTimeMs], [1005, 3])
  t.equal(crashed?.owner, 'w')
  t.strictSame(
    (await store.listFlowRuns({ state: ['crashed'] })).map(({ run }) => run.id),
    ['flow'],
  )
  t.equal((await store.listLogs('flow')).length, 1)

  const again = await opened(t, folder)
  t.strictSame(again.warnings, [])
  t.strictSame(await typesOf(again.store), expected)
  t.equal((await again.store.getFlowRun('flow'))?.states.length, 3)
})

test('a reader that has seen the runs of a process sees them end', async t => {
  const folder = folderWith(t, await unfinishedJournal(t, deadProcess()))
  const { store } = await opened(t, folder, { readOnly: true })
  t.equal((await store.getFlowRun('flow'))?.run.state.type, 'RUNNING')
  await opened(t, folder)
  t.equal((await store.getFlowRun('flow'))?.run.state.type, 'CRASHED')
  t.equal((await typesOf(store))['waiting'], 'Crashed')
})

test('only what is certainly dead is ended', async t => {
  const here = thisProcess()
  const dead = deadProcess()
  const cases: [string, ProcessId, string][] = [
    ['this very process', here, 'RUNNING'],
    ['its pid, started at another time', { ...here, started: '1' }, 'CRASHED'],
    ['a pid that is gone, on another host', { ...dead, host: 'elsewhere' }, 'RUNNING'],
    ['a pid that is gone, in another pid namespace', { ...dead, namespace: 'pid:[1]' }, 'RUNNING'],
    ['a pid that is gone, on another machine of this name', { ...dead, machine: 'another' }, 'RUNNING'],
    ['this pid, before the last boot', { ...here, boot: 'another' }, 'CRASHED'],
    ['a pid that is gone', dead, 'CRASHED'],
  ]
  for (const [name, process, type] of cases) {
    if (here.started === undefined && name !== 'a pid that is gone') continue
    const { store } = await opened(t, folderWith(t, await unfinishedJournal(t, process)))
    t.equal((await store.getFlowRun('flow'))?.run.state.type, type, name)
  }
})

test('the runs of an owner that somebody answers for are ended, and no others', async t => {
  const elsewhere = { ...deadProcess(), host: 'elsewhere' }
  const { store } = await opened(t, folderWith(t, await unfinishedJournal(t, elsewhere)))
  const { owner } = (await store.getFlowRun('flow'))!
  for (const deadOwner of [undefined, 'nobody']) {
    await store.recover({ deadOwner })
    t.equal((await store.getFlowRun('flow'))?.run.state.type, 'RUNNING')
  }
  await store.recover({ deadOwner: owner })
  t.match((await store.getFlowRun('flow'))?.run.state, { type: 'CRASHED', message: /on host 'elsewhere'/ })
})

test('a journal that was closed is never looked at again, whatever its runs', async t => {
  const journal = await unfinishedJournal(t, deadProcess())
  const folder = folderWith(t, `${journal}${seal('{"c":1006,"q":12}\n')}`)
  const { store, warnings } = await opened(t, folder)
  t.equal((await store.getFlowRun('flow'))?.run.state.type, 'RUNNING')
  t.strictSame(readdirSync(`${folder}/journals`), ['w.0001.ndjson'])
  t.strictSame(warnings, [])
})

test('runs that were abandoned when the store was closed are ended at the next opening, in a living process too', async t => {
  const folder = t.testdir()
  const { store } = await opened(t, folder, { owner: 'w' })
  await carryOut(store, 'ended', 1000)
  const flow = flowRun('flow')
  await store.createFlowRun(flow)
  await change(store, flow, states.running(1001, 1))
  const task = taskRun('flow-0', 'flow')
  store.createTaskRun(task)
  await change(store, task, states.running(1002, 1))
  const later = flowRun('later', { state: states.scheduled(1000, 9e15) })
  await store.createFlowRun(later)
  const { store: reader } = await opened(t, folder, { readOnly: true })
  await store.close({ abandoned: true })
  t.match(await reader.getFlowRun('flow'), { run: { state: { type: 'RUNNING' } }, ownerGone: true })
  const { store: next, warnings } = await opened(t, folder, { foldJournals: 1 })
  t.match(warnings, [/^2 runs of process \d+ are CRASHED: its store was closed without finishing them\.$/])
  t.match((await next.getFlowRun('flow'))?.run.state, {
    type: 'CRASHED',
    message: /closed its store without finishing it/,
  })
  t.equal((await next.getTaskRun('flow-0'))?.run.state.type, 'CRASHED')
  t.equal((await next.getFlowRun('later'))?.run.state.type, 'SCHEDULED')
  t.equal((await next.getFlowRun('ended'))?.run.state.type, 'COMPLETED')
  await next.close()
  t.strictSame(await fold(t, folder), [], 'once')
  t.equal((await reader.getFlowRun('flow'))?.run.state.type, 'CRASHED')
})
