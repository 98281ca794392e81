import { test } from 'tap'
import { specEntries } from '../../lib/cli/load/yaml.js'

const read = (text: string) => specEntries('flows.yaml', text).map(entry => entry.read())

test('a deployment is a mapping; many are a list, or several documents', async t => {
  t.match(read('name: a\nflow: f.ts\n'), [{ name: 'a', flow: 'f.ts', options: {} }])
  t.match(read('- name: a\n  flow: f.ts\n- name: b\n  flow: g.ts:two\n'), [
    { name: 'a' },
    { name: 'b', flow: 'g.ts:two' },
  ])
  t.match(read('name: a\nflow: f.ts\n---\n- name: b\n  flow: f.ts\n'), [{ name: 'a' }, { name: 'b' }])
  for (const nothing of ['', '# later\n', '---\n', '[]\n']) t.strictSame(read(nothing), [], nothing)
})

test('a file may begin with a byte-order mark', async t => {
  t.match(read('\uFEFFname: a\nflow: f.ts\n'), [{ name: 'a', flow: 'f.ts' }])
})

test('what else it says are its options, as plain data; what is left empty is not given', async t => {
  const [spec] = read(`
name: daily
flow: f.ts
description:
parameters: { year: 2026, from: 2026-01-01, deep: [{ n: 1.5 }, null] }
schedule:
  cron: '*/5 * * * *'
  timezone: Europe/Vienna
tags: [nightly]
paused: true
overlap: queue
catchUp: all
limits: { timeoutMs: 60000, memoryBytes: 268435456 }
`)
  t.strictSame(spec?.options, {
    parameters: { year: 2026, from: '2026-01-01', deep: [{ n: 1.5 }, null] },
    schedule: { cron: '*/5 * * * *', timezone: 'Europe/Vienna' },
    tags: ['nightly'],
    paused: true,
    overlap: 'queue',
    catchUp: 'all',
    limits: { timeoutMs: 60000, memoryBytes: 268435456 },
  })
})

test('what several have in common may stand once', async t => {
  const [first, second] = read(`
- &base
  name: a
  flow: f.ts
  schedule: &hourly { intervalMs: 3600000 }
- <<: *base
  name: b
`)
  t.match([first, second], [{ name: 'a' }, { name: 'b', flow: 'f.ts', options: { schedule: { intervalMs: 3600000 } } }])
  t.strictSame([second?.placeOf('name'), second?.placeOf('schedule')], ['flows.yaml:7', 'flows.yaml:6'])
})

test('each knows where its keys stand', async t => {
  const [, second] = read('- name: a\n  flow: f.ts\n\n- name: b\n  flow: f.ts\n  tags: 7\n')
  t.equal(second?.placeOf(), 'flows.yaml:4')
  t.equal(second?.placeOf('tags'), 'flows.yaml:6')
  t.equal(second?.placeOf('paused'), 'flows.yaml:4')
})

test('a wrong one does not keep the others from being read', async t => {
  const entries = specEntries('flows.yaml', '- name: a\n- 7\n- name: c\n  flow: f.ts\n')
  t.strictSame(
    entries.map(({ label }) => label),
    ['a', 'flows.yaml:2', 'c'],
  )
  t.throws(() => entries[0]?.read())
  t.throws(() => entries[1]?.read())
  t.equal(entries[2]?.read().name, 'c')
})

const wrong: [string, string, string][] = [
  [
    'a misspelt key',
    'name: a\nflow: f.ts\nschedul:\n  cron: x\n',
    "flows.yaml:3: A deployment has no 'schedul'. Did you mean 'schedule'?",
  ],
  [
    'a key that is like no other',
    'name: a\nflow: f.ts\nworkers: 3\n',
    "flows.yaml:3: A deployment has no 'workers'. There are name, flow, parameters, schedule, tags, paused, overlap, catchUp, description, limits.",
  ],
  [
    'a misspelt key of the schedule',
    'name: a\nflow: f.ts\nschedule:\n  cron: 0 9 * * *\n  timezon: UTC\n',
    "flows.yaml:5: Its schedule has no 'timezon'. Did you mean 'timezone'?",
  ],
  [
    'a key of the limits',
    'name: a\nflow: f.ts\nlimits: { threads: 2 }\n',
    "flows.yaml:3: Its limits has no 'threads'. There are timeoutMs, memoryBytes.",
  ],
  ['no name', 'flow: f.ts\n', "flows.yaml:1: the deployment has no 'name'. Write it as `name: daily`."],
  ['no flow', 'name: a\n', "flows.yaml:1: the deployment has no 'flow'. Write it as `flow: report.ts:monthly`."],
  [
    'a name that is no text',
    'flow: f.ts\nname: 2026\n',
    'flows.yaml:2: the deployment has the name 2026, which is no text. Write it as `name: daily`.',
  ],
  ['a word alone', 'report\n', 'flows.yaml:1: a deployment is a mapping with a name and a flow, not "report".'],
  [
    'a star without quotes',
    'name: a\nschedule:\n  cron: */5 * * * *\n',
    "flows.yaml:3:13: Unexpected alias at node end. A text that begins with * has to stand in quotes: cron: '*/5 * * * *'.\n\n  cron: */5 * * * *\n            ^",
  ],
  ['a key twice', 'name: a\nname: b\n', 'flows.yaml:2:1: Map keys must be unique.\n\nname: a\nname: b\n^'],
  ['a tab', 'name: a\n\tflow: b\n', 'flows.yaml:2:1: Tabs are not allowed as indentation.\n\nname: a\n\tflow: b\n^'],
  [
    'an anchor that is not there',
    'name: *a\nflow: f.ts\n',
    "flows.yaml:1: Unresolved alias (the anchor must be set before the alias): a. A text that begins with * has to stand in quotes: cron: '*/5 * * * *'.",
  ],
]
for (const [what, text, message] of wrong) {
  test(`${what} is refused with its line`, async t => {
    t.throws(() => read(text), { message })
  })
}
