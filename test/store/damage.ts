import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import tap, { type Test, test } from 'tap'
import { enter } from '../../lib/core/run.js'
import { states } from '../../lib/core/state.js'
import { TaskRecord } from '../../lib/engine/task-record.js'
import type { JsonStore } from '../../lib/store/json.js'
import { headerLine } from '../../lib/store/lines/line.js'
import { seal } from '../../lib/store/lines/seal.js'
import { thisProcess } from '../../lib/store/process-id.js'
import { change, flowRun, taskRun } from './fixtures/runs.js'
import { opened } from './fixtures/sessions.js'

tap.setTimeout(240_000) // thousands of stores are opened

const closedJournal = 'w.0001.ndjson'

/** A small journal with lines of every kind. */
async function journal(t: Test): Promise<Buffer> {
  const folder = t.testdir()
  const { store } = await opened(t, folder, { owner: 'w' })
  const flow = flowRun('flow')
  await store.createFlowRun(flow)
  await change(store, flow, states.running(1001, 1))
  const single = taskRun('flow-0', 'flow')
  store.createTaskRun(single)
  await change(store, single, states.failed(1002, new Error('no')))
  const calls = { flowRunId: 'flow', taskName: 'load', taskKey: '3f9c21d0', tags: [], runName: undefined }
  const batched = new TaskRecord(calls, 1, 0, states.pending(1003), [5])
  store.createTaskRun(batched)
  for (const state of [states.running(1004, 1), states.completed(1005, 'done')]) {
    enter(batched, state)
    await store.appendState(batched, state)
  }
  store.appendLog({ flowRunId: 'flow', level: 'info', message: 'a line', timestamp: 1006 })
  await change(store, flow, states.completed(1007, [1, 2]))
  const other = flowRun('other')
  await store.createFlowRun(other)
  await change(store, other, states.completed(1008, 2))
  await store.close()
  return readFileSync(`${folder}/journals/${closedJournal}`)
}

/** How much a store tells: each state, each run and each line of a log counts. */
async function amount(store: JsonStore) {
  const runs = await store.listFlowRuns()
  const tasks = (await Promise.all(runs.map(({ run }) => store.listTaskRuns(run.id)))).flat()
  const logs = (await Promise.all(runs.map(({ run }) => store.listLogs(run.id)))).flat()
  const all = [...runs, ...tasks]
  const known = all.flatMap(({ run, states }) =>
    states.filter(({ name }) => name !== 'Crashed').map(({ name }) => `${run.id} ${name}`),
  )
  return { ids: all.map(({ run }) => run.id), states: known, logs: logs.length }
}

test('a byte that has changed anywhere in a journal costs its record at most, and that is said', async t => {
  const whole = await journal(t)
  const folder = t.testdir({ journals: {} })
  const path = `${folder}/journals/${closedJournal}`
  writeFileSync(path, whole)
  const { store } = await opened(t, folder, { readOnly: true })
  const all = await amount(store)
  const lines = whole.toString().split('\n')
  const headers = lines[0]!.length + lines[1]!.length + 2
  for (const [flip, step] of [
    [0x01, 1],
    [0x80, 7],
  ] as const) {
    for (let at = 0; at < whole.length; at += step) {
      const bytes = Buffer.from(whole)
      bytes[at]! ^= flip
      writeFileSync(path, bytes)
      const { store, warnings } = await opened(t, folder, { readOnly: true })
      const left = await amount(store)
      await store.close()
      const line = whole.subarray(0, at).toString('latin1').split('\n').length - 1
      const isBatch = lines[line]!.startsWith('{"b"')
      const lost = all.states.filter(each => !left.states.includes(each))
      const invented = left.states.filter(each => !all.states.includes(each))
      // A run whose first line is damaged is known by the lines that follow; a batch is a record of three states.
      if (lost.length > (isBatch ? 3 : 1) || left.logs < all.logs - 1 || (lost.length > 0 && left.logs < all.logs))
        t.fail(`byte ${at} of line ${line}, by ${flip}: ${lost} is lost, ${left.logs} of ${all.logs} log lines`)
      if (invented.length > 0) t.fail(`byte ${at} of line ${line}, by ${flip}: ${invented} was never written`)
      if (!isBatch && all.ids.some(id => !left.ids.includes(id)))
        t.fail(`byte ${at} of line ${line}, by ${flip}: ${left.ids}`)
      const isTail = at >= whole.length - lines.at(-2)!.length - 1
      const told = warnings.filter(text => /w\.0001\.ndjson (is|are) damaged and left out, at byte \d+/.test(text))
      if (told.length !== 1 && !isTail) t.fail(`byte ${at} of line ${line}, by ${flip}: ${warnings}`)
      if (at < headers && lost.length > 0) t.fail(`a header has cost ${lost}`)
    }
  }
})

test('a journal that ends at any byte of its last records opens, and loses only what is torn, which is said', async t => {
  const lines = (await journal(t)).toString().split('\n').slice(2)
  const dead = { ...thisProcess(), pid: spawnSync(process.execPath, ['--version']).pid }
  const header = seal(headerLine({ format: 3, owner: 'w', process: dead, created: 1000, journal: 'w', segment: 1 }))
  const whole = Buffer.from(header + header + lines.join('\n'))
  const folder = t.testdir({ journals: {} })
  const path = `${folder}/journals/${closedJournal}`
  const from = whole.length - lines.slice(-7).join('\n').length
  for (let end = from; end < whole.length; end += 1) {
    rmSync(`${folder}/journals/w.ended`, { force: true })
    writeFileSync(path, whole.subarray(0, end))
    const wholeEnd = whole.subarray(0, end).lastIndexOf(10) + 1
    const { store, warnings } = await opened(t, folder)
    const { states } = await amount(store)
    await store.close()
    const text = whole.subarray(0, wholeEnd).toString()
    const isComplete = (key: string, id: string, name: string) => {
      const line = text
        .split('\n')
        .find(each => each.startsWith(`{"${key}":"${id}"`) && each.includes(`"is":"${name}"`))
      return line === undefined || states.includes(`${id} ${name}`)
    }
    for (const [key, id, name] of [
      ['s', 'flow', 'Completed'],
      ['f', 'other', 'Pending'],
      ['s', 'other', 'Completed'],
    ] as const)
      if (!isComplete(key, id, name)) t.fail(`cut at ${end}: ${name} of ${id} is lost`)
    const told = warnings.filter(each => each.includes('was never finished'))
    if (told.length !== (end > wholeEnd ? 1 : 0)) t.fail(`cut at ${end}: ${warnings}`)
    if (end > wholeEnd && !told[0]?.includes(`${end - wholeEnd} bytes at byte ${wholeEnd} `)) t.fail(`it said: ${told}`)
    if (readFileSync(path).length !== wholeEnd) t.fail(`not cut at ${end}`)
  }
})

test('room that a writer had made for more lines is no damage, nor are the zeros after a torn line counted', async t => {
  const lines = (await journal(t)).toString().split('\n').slice(2, 8)
  const dead = { ...thisProcess(), pid: spawnSync(process.execPath, ['--version']).pid }
  const header = seal(headerLine({ format: 3, owner: 'w', process: dead, created: 1000, journal: 'w', segment: 1 }))
  const text = `${header}${header}${lines.join('\n')}\n`
  for (const [torn, told] of [
    ['', /^$/],
    ['{"s":"fl', new RegExp(`^The last line of .*: 8 bytes at byte ${text.length} do not count`)],
  ] as const) {
    const folder = t.testdir({ journals: { [closedJournal]: `${text}${torn}${'\0'.repeat(100_000)}` } })
    const { store, warnings } = await opened(t, folder)
    await store.close()
    t.match(warnings.find(warning => warning.includes('finished:')) ?? '', told)
    t.equal(readFileSync(`${folder}/journals/${closedJournal}`, 'utf8'), text)
  }
})

test('a byte that has changed in what ends a journal costs that state at most', async t => {
  const lines = (await journal(t)).toString().split('\n').slice(2, 8)
  const dead = { ...thisProcess(), pid: spawnSync(process.execPath, ['--version']).pid }
  const header = seal(headerLine({ format: 3, owner: 'w', process: dead, created: 1000, journal: 'w', segment: 1 }))
  const folder = t.testdir({ journals: { [closedJournal]: `${header}${header}${lines.join('\n')}\n` } })
  const { store } = await opened(t, folder)
  await store.close()
  const path = `${folder}/journals/w.ended`
  const whole = readFileSync(path)
  for (let at = whole.length - 1; at >= 0; at -= 5) {
    const bytes = Buffer.from(whole)
    bytes[at]! ^= 1
    writeFileSync(path, bytes)
    const { store, warnings } = await opened(t, folder, { readOnly: true })
    const { ids } = await amount(store)
    await store.close()
    if (ids.length < 2) t.fail(`at byte ${at}: ${ids}`)
    if (!warnings.some(text => /w\.ended is damaged and left out/.test(text))) t.fail(`at byte ${at}: ${warnings}`)
  }
})
