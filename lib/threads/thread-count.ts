import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** How many threads a pool has unless it is told: MINTAKA_THREADS, else the processors that this process may use. */
export function defaultThreads(
  env: NodeJS.ProcessEnv = process.env,
  readQuota: () => number | undefined = cpuQuota,
): number {
  const wanted = Number(env['MINTAKA_THREADS'])
  if (Number.isInteger(wanted) && wanted >= 1) return wanted
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(readQuota() ?? Number.POSITIVE_INFINITY)))
}

// A container may have fewer processors than its machine shows; Node does not look.
function cpuQuota(): number | undefined {
  try {
    return quotaIn(readFileSync('/sys/fs/cgroup/cpu.max', 'utf8'))
  } catch {
    return undefined
  }
}

/** The processors that a `cpu.max` of a control group allows: `200000 100000` is 2. */
export function quotaIn(text: string): number | undefined {
  const [quota, period] = text.trim().split(/\s+/).map(Number)
  return quota !== undefined && period !== undefined && quota > 0 && period > 0 ? quota / period : undefined
}
