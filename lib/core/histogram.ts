import type { Distribution } from './executor-stats.js'

/**
 * How often which value came: of milliseconds, bytes, anything from 0 up. Its memory is fixed (some 5 KiB), a value costs
 * some nanoseconds, and histograms add up.
 *
 * Buckets grow with their values: 32 of them between a power of two and the next. So a quantile is off by at most a 64th
 * of itself (1.6 %) from 2⁻¹⁰ to 2³² (a microsecond to fifty days, in milliseconds), and by 2⁻¹⁰ below that. Count, mean
 * and maximum are exact. (The histogram of `node:perf_hooks` takes twice the time and whole numbers only.)
 */
export class Histogram {
  count = 0
  max = 0
  #min = Number.POSITIVE_INFINITY
  #sum = 0
  readonly #buckets = new Uint32Array(bucketCount)

  /** Counts a value. What is not above 0 counts as 0: two clocks may disagree by that much. */
  record(value: number): void {
    const counted = Number.isNaN(value) ? 0 : Math.max(0, value)
    this.count += 1
    this.#sum += counted
    if (counted > this.max) this.max = counted
    if (counted < this.#min) this.#min = counted
    const bucket = bucketOf(counted)
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1
  }

  /** Counts what another one has counted. */
  add(other: Histogram): void {
    this.count += other.count
    this.#sum += other.#sum
    this.max = Math.max(this.max, other.max)
    this.#min = Math.min(this.#min, other.#min)
    for (const [bucket, count] of other.#buckets.entries()) {
      if (count > 0) this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + count
    }
  }

  get sum(): number {
    return this.#sum
  }

  get mean(): number {
    return this.count === 0 ? 0 : this.#sum / this.count
  }

  /** The smallest value that at least this part of all values, from 0 to 1, does not exceed; 0 if there is none. */
  quantile(part: number): number {
    if (this.count === 0) return 0
    const rank = Math.max(1, Math.ceil(part * this.count))
    let seen = 0
    for (const [bucket, count] of this.#buckets.entries()) {
      seen += count
      if (seen >= rank) return Math.min(this.max, Math.max(this.#min, middleOf(bucket)))
    }
    return this.max
  }

  distribution(): Distribution {
    const { count, mean, max } = this
    return { count, mean, p50: this.quantile(0.5), p90: this.quantile(0.9), p99: this.quantile(0.99), max }
  }
}

const stepsPerDoubling = 32
const smallestExponent = -10
const largestExponent = 32
/** The first bucket has what is smaller than all others. */
const bucketCount = 1 + (largestExponent - smallestExponent) * stepsPerDoubling

// The exponent of a double and the first five bits behind it, read as one number, count exactly such buckets.
const double = new Float64Array(1)
const words = new Uint32Array(double.buffer)
const highWord = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 1 : 0
const bitsBelow = 15
const numberOfFirst = (1023 + smallestExponent) * stepsPerDoubling

function bucketOf(value: number): number {
  double[0] = value
  const bucket = 1 + ((words[highWord] ?? 0) >>> bitsBelow) - numberOfFirst
  return bucket < 0 ? 0 : bucket < bucketCount ? bucket : bucketCount - 1
}

function middleOf(bucket: number): number {
  if (bucket === 0) return 0
  const step = (bucket - 1) % stepsPerDoubling
  const exponent = smallestExponent + (bucket - 1 - step) / stepsPerDoubling
  return 2 ** exponent * (1 + (step + 0.5) / stepsPerDoubling)
}
