import { test } from 'tap'
import { within } from '../../../lib/deployments/schedules/within.js'

test('what ends in time gives its value, or throws what it throws', async t => {
  const value = {}
  t.equal(
    within(10_000, () => value),
    value,
  )
  const error = new TypeError('wrong')
  const thrown = () =>
    within(10_000, () => {
      throw error
    })
  t.throws(thrown, error)
})

test('what never ends is broken off', async t => {
  let turns = 0
  const endless = within(50, () => {
    for (;;) turns += 1
  })
  t.equal(endless, undefined)
  t.ok(turns > 0)
})
