import tap, { test } from 'tap'
import { seedFromEnvironment } from '../fixtures/random.js'
import { kill } from './fixtures/kill.js'

tap.setTimeout(300_000)

// Three hundred tasks, killed once or more from each of ten seeds; `npm run torture -- kill` does it in earnest.
const first = seedFromEnvironment()

for (let seed = first; seed < first + 10; seed++) {
  test(`whenever a flow is killed, nothing acknowledged is lost, and it can be continued (seed ${seed})`, async t => {
    const size = { count: 300, pieces: 30, kills: 1 }
    const { wrong, kills } = await kill(`${t.testdir()}/night`, { seed, ...size, log: line => t.comment(line) })
    t.strictSame(wrong, [])
    t.ok(kills >= 1)
  })
}
