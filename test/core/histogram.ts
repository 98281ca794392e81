import { test } from 'tap'
import { Histogram } from '../../lib/core/histogram.js'
import { Random } from '../fixtures/random.js'

function exactQuantile(sorted: readonly number[], part: number): number {
  return sorted[Math.max(1, Math.ceil(part * sorted.length)) - 1]!
}

const shapes: Record<string, (random: Random) => number> = {
  even: random => random.next() * 100,
  'over nine powers of ten': random => 10 ** (random.next() * 9 - 3),
  'in two heaps': random => (random.next() < 0.9 ? 0.02 + random.next() * 0.01 : 5000 + random.next()),
  whole: random => random.below(20),
  'a power of two': random => 2 ** random.below(20),
}

for (const [name, shape] of Object.entries(shapes)) {
  test(`quantiles of values that are ${name} are within a 64th, count, mean and maximum exact`, async t => {
    for (const size of [1, 2, 10, 1000, 20_000]) {
      const random = new Random(size)
      const values = Array.from({ length: size }, () => shape(random))
      const histogram = new Histogram()
      for (const value of values) histogram.record(value)
      const sorted = values.toSorted((a, b) => a - b)
      const wrong = [0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1].filter(part => {
        const exact = exactQuantile(sorted, part)
        return Math.abs(histogram.quantile(part) - exact) > Math.max(exact / 64, 2 ** -10)
      })
      t.strictSame(wrong, [], `${size} values`)
      t.equal(histogram.count, size)
      t.equal(histogram.max, sorted.at(-1))
      const sum = values.reduce((sum, value) => sum + value, 0)
      t.ok(Math.abs(histogram.mean - sum / size) <= 1e-9 * sum)
    }
  })
}

test('two that are added are as one that had all the values', async t => {
  const random = new Random(7)
  const [left, right, all] = [new Histogram(), new Histogram(), new Histogram()]
  for (let time = 0; time < 5000; time++) {
    const value = 10 ** (random.next() * 6 - 2)
    ;(random.next() < 0.3 ? left : right).record(value)
    all.record(value)
  }
  left.add(right)
  const { mean, ...rest } = all.distribution()
  t.match(left.distribution(), rest)
  t.ok(Math.abs(left.distribution().mean - mean) < 1e-9 * mean)
  left.add(new Histogram())
  t.match(left.distribution(), rest, 'one without values adds nothing')
})

test('nothing is all zero, and one value is itself', async t => {
  const histogram = new Histogram()
  t.strictSame(histogram.distribution(), { count: 0, mean: 0, p50: 0, p90: 0, p99: 0, max: 0 })
  histogram.record(0.3)
  t.strictSame(histogram.distribution(), { count: 1, mean: 0.3, p50: 0.3, p90: 0.3, p99: 0.3, max: 0.3 })
})

test('what is out of range is counted at its edge, and what is no span as 0', async t => {
  const histogram = new Histogram()
  for (const value of [-5, Number.NaN, 0, 1e-9]) histogram.record(value)
  t.equal(histogram.quantile(1), 0)
  t.equal(histogram.max, 1e-9)
  histogram.record(2 ** 40)
  t.equal(histogram.count, 5)
  t.equal(histogram.max, 2 ** 40)
  t.ok(histogram.quantile(1) >= 2 ** 31)
})
