import { test } from 'tap'
import { Rate } from '../../../lib/cli/progress/rate.js'

/** So many per second for so long, from a time on. */
function add(rate: Rate, perSecond: number, from: number, seconds: number): void {
  for (let number = 0; number < perSecond * seconds; number++) rate.add(1, from + (number / perSecond) * 1000)
}

test('nothing is told before there is enough', async t => {
  const rate = new Rate()
  t.equal(rate.perSecond(0), undefined)
  rate.begin(5000)
  rate.add(4, 7000)
  t.equal(rate.perSecond(8000), undefined)
  rate.add(1, 7500)
  t.equal(rate.perSecond(10_000), 1, 'five in five seconds')
  const quick = new Rate()
  quick.add(100, 5000)
  t.equal(quick.perSecond(5500), undefined, 'half a second is no time')
})

test('it is that of the last ten seconds, whenever it is asked', async t => {
  const rate = new Rate()
  const begun = 1_700_000_000_000
  add(rate, 50, begun, 30)
  for (let second = 30; second < 60; second++) {
    add(rate, 7, begun + second * 1000, 1)
    const told = rate.perSecond(begun + second * 1000 + 999) ?? 0
    t.ok(second < 40 ? told > 7 : Math.abs(told - 7) < 0.5, `${told}`)
  }
})

test('what is slow is told over a longer time; what has come to a halt is not told', async t => {
  const slow = new Rate()
  add(slow, 0.2, 0, 200)
  t.ok(Math.abs((slow.perSecond(200_000) ?? 0) - 0.2) < 0.02)
  t.equal(slow.perSecond(400_000), undefined)
  const fast = new Rate()
  add(fast, 50, 0, 30)
  t.ok((fast.perSecond(33_000) ?? 0) < 50)
  t.equal(fast.perSecond(41_000), undefined)
  t.equal(fast.perSecond(1e12), undefined)
})

test('what comes late counts for the time when it happened', async t => {
  const rate = new Rate()
  rate.add(1, 600_000)
  add(rate, 3, 0, 600)
  t.ok(Math.abs((rate.perSecond(600_000) ?? 0) - 3) < 0.2)
})
