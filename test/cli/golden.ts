import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import { golden, type Replacements } from './fixtures/golden.js'
import { sessionIn } from './fixtures/session.js'

const goldenStore = fileURLToPath(new URL('fixtures/golden-store.mjs', import.meta.url))
const now = Date.parse('2026-10-01T12:00:00Z')

const files = {
  'flows.mjs': `
    import { task } from 'mintaka'
    const good = task('good', x => x)
    const make = factor => task('scale', x => x * factor)
    make(2)
    export { good }
  `,
  'none.mjs': 'export const nothing = 1',
  'run.mjs': `
    import { flow, task } from 'mintaka'
    const one = task('one', n => n)
    export const sum = flow('sum', async ({ n }) => ({ sum: (await one(n)) + 1 })).with({ name: 'busy-bee' })
    export const nothing = flow('nothing', () => {}).with({ name: 'calm-heron' })
    export const fails = flow('fails', () => { throw new RangeError('no room for row 7') }).with({ name: 'eager-otter' })
  `,
}

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

/** What no two machines have the same, and how wide it makes a table. */
const everywhere: Replacements = [
  [`${process.platform} ${process.arch}`, 'linux x64'],
  [process.versions.node, '24.21.0'],
  [version, '0.1.0'],
  [/"pid": \d+/g, '"pid": 4242'],
  [/"host": "[^"]*"/g, '"host": "hal"'],
  [/ \d+ on [^\s,]+ {2,}/g, ' 4242 on hal  '],
  [/process \d+ on [^\s,]+/g, 'process 4242 on hal'],
  [/(journal +)process +/g, '$1process      '],
  [/\d+(\.\d+)? KiB|\b\d{3,} bytes/g, '5.0 KiB'],
  [/"(bytes|journals|history|index)": \d{3,}/g, '"$1": 5000'],
  [/is not JSON: .*/g, 'is not JSON: …'],
]

/** A file for each verb or group, with its output at 80 and 160 columns, as JSON, and its errors. */
const all = ['help', 'run', 'check', 'store', 'others']
const ofFlowRuns = ['ls', 'inspect', 'logs', 'watch', 'cancel', 'delete', 'resume'].map(verb => `flow-run-${verb}`)
for (const file of [...all, ...ofFlowRuns])
  test(`${file}: what is printed is what has always been printed`, async t => {
    const folder = t.testdir(files)
    const session = sessionIn(t, folder, { now })
    if (file !== 'run') await session.prepare(goldenStore)
    await golden(t, session, `${file}.txt`, [[folder, '/srv/app'], ...everywhere])
  })
