import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import { golden } from './fixtures/golden.js'
import { sessionIn } from './fixtures/session.js'

const files = fileURLToPath(new URL('fixtures/deployments', import.meta.url))
const now = Date.parse('2026-10-01T12:00:00Z')

test('the verbs of deployments print what they have always printed', async t => {
  const folder = t.testdir()
  cpSync(files, folder, { recursive: true })
  writeFileSync(join(folder, 'star.yaml'), 'name: a\nflow: report.ts\nschedule:\n  cron: */5 * * * *\n')
  const session = sessionIn(t, folder, { now })
  await golden(t, session, 'deployment.txt', [
    [folder, '/srv/app'],
    [/(?<![0-9a-z])(?=[0-9a-z]*[0-9])[0-9a-z]{16}(?![0-9a-z])/g, '0123456789abcdef'],
    [/"version": "[0-9a-f]{12}"/g, '"version": "a5cb5ecbb05d"'],
  ])
})
