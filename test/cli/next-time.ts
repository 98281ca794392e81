import { test } from 'tap'
import { nextTime } from '../../lib/cli/next-time.js'
import type { DeploymentRecord } from '../../lib/deployments/record.js'

const now = Date.UTC(2026, 0, 1)
const record = { id: 'etl/daily', schedule: { cron: '0 7 * * *' }, paused: false } as DeploymentRecord

test('a deployment runs next when its schedule says so, unless it is paused', async t => {
  t.equal(nextTime(record, [], now), now + 7 * 60 * 60 * 1000)
  t.equal(nextTime({ ...record, paused: true }, [], now), undefined)
})

test('of a deployment with a schedule that cannot be used, nobody knows', async t => {
  t.equal(nextTime({ ...record, schedule: { rrule: 'FREQ=DAILY;INTERVAL=0' } }, [], now), undefined)
})
