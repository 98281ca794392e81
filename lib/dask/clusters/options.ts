import { availableParallelism } from 'node:os'
import { type Check, check, checkOptions } from '../../core/options.js'
import type { AdaptLimits, ClusterOptions } from './cluster.js'

/** Throws INVALID_OPTION. Of a class by name, the options that are not ours are its own, and not looked at. */
export function checkClusterOptions(options: ClusterOptions, others: 'refused' | 'passed on' = 'refused'): void {
  const known = Object.entries(options).filter(([name]) => others === 'refused' || Object.hasOwn(checks, name))
  checkOptions('clusterOptions', Object.fromEntries(known), checks)
}

/** Throws INVALID_OPTION. */
export function checkAdapt(adapt: AdaptLimits): void {
  checkOptions('adapt', adapt, {
    minimum: check.count,
    maximum: value =>
      check.positive(value) ?? (Number(value) >= adapt.minimum ? undefined : `${adapt.minimum} (minimum) or more`),
  })
}

/**
 * How many workers, and how many threads each, where one of the two or none is said: the numbers of Dask's `LocalCluster`.
 * Up to 4 processors that is a worker of one thread for each, above it fewer workers of several threads (8: 4 of 2).
 */
export function workersFor(
  { workers, threadsPerWorker }: Pick<ClusterOptions, 'workers' | 'threadsPerWorker'>,
  processors = availableParallelism(),
): { readonly workers: number; readonly threadsPerWorker: number } {
  if (workers === undefined && threadsPerWorker === undefined) {
    const count = processors <= 4 ? processors : smallestDivisorFrom(Math.sqrt(processors), processors)
    return { workers: count, threadsPerWorker: processors / count }
  }
  return {
    workers: workers ?? Math.max(1, Math.floor(processors / (threadsPerWorker ?? 1))),
    threadsPerWorker: threadsPerWorker ?? Math.max(1, Math.ceil(processors / Math.max(1, workers ?? 1))),
  }
}

function smallestDivisorFrom(least: number, number: number): number {
  for (let divisor = Math.ceil(least); divisor < number; divisor += 1) if (number % divisor === 0) return divisor
  return number
}

const finite: Check = value => (check.count(value) === undefined ? undefined : 'a whole number from 0')

const checks: Record<keyof ClusterOptions, Check> = {
  workers: finite,
  threadsPerWorker: value => (Number.isInteger(value) && Number(value) > 0 ? undefined : 'a whole number from 1'),
  resources: value =>
    check.object(value) === undefined && Object.entries(value as object).every(isResource)
      ? undefined
      : "an object of amounts from 0, by names without spaces, ',' and '='",
  memoryLimit: value =>
    (typeof value === 'number' && value >= 0) || (typeof value === 'string' && value !== '')
      ? undefined
      : "a number of bytes, or a text like '4GB' or 'auto'",
  dashboard: check.boolean,
  python: check.string,
  pythonWorkers: finite,
}

// Their names and amounts are words of a command line: `GPU=1 memory=8e9`.
function isResource([name, amount]: [string, unknown]): boolean {
  return /^[^\s,=]+$/.test(name) && typeof amount === 'number' && amount >= 0 && Number.isFinite(amount)
}
