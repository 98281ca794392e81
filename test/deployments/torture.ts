import tap, { test } from 'tap'
import { seedFromEnvironment } from '../fixtures/random.js'
import { tortureAgents } from './fixtures/torture-agents.js'

tap.setTimeout(300_000)

// A few seconds; `npm run torture -- agents` does it for a minute.
const seed = seedFromEnvironment()

test(`each occurrence runs once or is accounted for, whatever is killed (seed ${seed})`, async t => {
  const report = await tortureAgents(t.testdir(), { seed, seconds: 6, agents: 3, log: line => t.comment(line) })
  t.strictSame(report.wrong, [])
  t.ok(report.occurrences >= 3, JSON.stringify(report))
})
