import { test } from 'tap'
import { sessionIn } from './fixtures/session.js'

const file = `
  import { deployment, flow } from 'mintaka'
  deployment('hourly', flow('report', () => 1), { schedule: { cron: '0 * * * *', timezone: 'UTC' } })
`

test('pause and resume of a deployment tell what it is now as JSON, as ls does', async t => {
  const now = Date.parse('2026-10-01T12:10:00Z')
  const mintaka = sessionIn(t, t.testdir({ 'report.mjs': file }), { now })
  await mintaka('deployment', 'create', 'report.mjs')
  for (const [verb, paused, next] of [
    ['pause', true, undefined],
    ['resume', false, '2026-10-01T13:00:00.000Z'],
  ] as const) {
    const { code, stdout, stderr } = await mintaka('deployment', verb, 'report/hourly', '--json')
    t.strictSame([code, stderr], [0, ''])
    const told = JSON.parse(stdout)
    t.match(told, { id: 'report/hourly', paused })
    t.equal(told.next, next)
    t.strictSame([told], JSON.parse((await mintaka('deployment', 'ls', '--json')).stdout))
  }
})
