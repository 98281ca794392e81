import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import { golden, type Replacements } from './fixtures/golden.js'
import { sessionIn } from './fixtures/session.js'

const goldenStore = fileURLToPath(new URL('fixtures/golden-store.mjs', import.meta.url))
const now = Date.parse('2026-10-01T12:00:00Z')

/** In the order of the verbs in docs/CLI.md. A file for each, with its output at 80 and 160 columns, as JSON, and its errors. */
for (const file of ['help', 'flow-run-ls', 'flow-run-inspect'])
  test(`${file} prints what it has always printed`, async t => {
    const folder = t.testdir()
    const session = sessionIn(t, folder, { now })
    await session.prepare(goldenStore)
    const replacements: Replacements = [[folder, '/srv/app']]
    await golden(t, session, `${file}.txt`, replacements)
  })
