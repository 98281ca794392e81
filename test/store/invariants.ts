import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type Test, test } from 'tap'
import { states } from '../../lib/core/state.js'
import { JsonStore } from '../../lib/store/json.js'
import { codec } from '../../lib/values/json.js'
import { callOf, calls } from './fixtures/calls.js'
import { readWitness, violations } from './fixtures/invariants.js'
import { change, flowRun } from './fixtures/runs.js'

// The checker finds what it is there to find.

async function stored(t: Test) {
  const folder = t.testdir()
  const store = new JsonStore({ folder, segmentBytes: 700 })
  await store.open({ owner: 'w', codec, warn: message => t.fail(message) })
  const flow = flowRun('flow')
  await store.createFlowRun(flow)
  await change(store, flow, states.running(1001, 1))
  for (const number of [0, 1]) {
    const run = callOf(calls('flow'), number)
    store.createTaskRun(run)
    await change(store, run, states.running(1002, 1))
    await change(store, run, states.completed(1003, number))
  }
  await change(store, flow, states.completed(1004, 1))
  await store.close()
  const journals = `${folder}/journals`
  const path = `${journals}/${readdirSync(journals).sort().at(-1)}`
  return { folder, path, text: () => readFileSync(path, 'utf8') }
}

const acknowledged = [
  { run: 'flow-0', state: 'Completed' as const },
  { run: 'flow', state: 'Completed' as const },
]

test('nothing is wrong with a store in which all is well', async t => {
  const { folder } = await stored(t)
  t.strictSame(await violations(folder, { acknowledged }), [])
})

test('an acknowledged state that is not there is found', async t => {
  const { folder } = await stored(t)
  writeFileSync(`${folder}/witness`, 'flow-1\nflow-7\nflow-0 Failed\nflow-0 Compl')
  t.strictSame(await violations(folder, { acknowledged: readWitness(`${folder}/witness`) }), [
    'flow-7 was acknowledged to be Completed, and is not there',
    'flow-0 was acknowledged to be Failed, and was Pending, Running, Completed',
  ])
})

test('damage is found: a byte that has changed, a fragment, a line that is missing, a state after the end', async t => {
  const { folder, path, text } = await stored(t)
  const whole = text()
  const line = whole.split('\n').findIndex(each => each.startsWith('{"s":"flow"'))
  const without = whole.split('\n').toSpliced(line, 1).join('\n')
  const cases: [string, string, RegExp][] = [
    ['a byte', whole.replace('"is":"Completed"', '"is":"Cached"   '), /line \d is damaged/],
    ['a fragment', `${whole}{"u":`, /ends with a fragment/],
    ['a missing line', without, /w: line \d+ follows \d+/],
    [
      'a state after the end',
      whole.replace(/\n$/, '\n{"s":"flow","q":99,"is":"Running","at":1,"n":2}\n'),
      /has ended, and is Running/,
    ],
  ]
  for (const [name, damaged, expected] of cases) {
    writeFileSync(path, damaged)
    const found = (await violations(folder)).filter(sentence => !sentence.startsWith('it warns'))
    t.ok(
      found.some(sentence => expected.test(sentence)),
      `${name}: ${found.join('; ')}`,
    )
  }
})

test('runs of those who are gone, and files that are left, are found', async t => {
  const { folder } = await stored(t)
  const store = new JsonStore({ folder })
  await store.open({ owner: 'v', codec, warn: message => t.fail(message) })
  await store.createFlowRun(flowRun('under-way'))
  appendFileSync(`${folder}/tmp/x`, '')
  appendFileSync(`${folder}/fold.lock`, '')
  t.strictSame(await violations(folder, { alive: ['v'] }), ['tmp/x was left', 'fold.lock was left'])
  t.match(await violations(folder), [/tmp/, /lock/, 'under-way is Pending, and v is gone'])
  await store.close()
})
