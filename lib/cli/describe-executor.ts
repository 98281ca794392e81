import type { Distribution, ExecutorStats } from '../core/executor-stats.js'
import { type Colors, span } from './print.js'
import { type Column, table } from './table.js'

const columns: readonly Column[] = ['', 'mean', 'p50', 'p90', 'p99', 'max'].map(head => ({ head }))

/** How an executor did, for people. */
export function describeExecutor(name: string, stats: ExecutorStats, width: number, palette: Colors): string {
  const { threads, calls, utilisation, queueWaitMs, runTimeMs, dispatchMs } = stats
  const rows = [
    rowOf('queue wait', queueWaitMs, palette),
    rowOf('run time', runTimeMs, palette),
    rowOf('dispatch', dispatchMs, palette),
  ]
  const busy = `${Math.round(utilisation * 100)} % busy`
  const facts = `  ${name}: ${counted(threads, 'thread')}, ${busy}, ${counted(calls, 'call')}`
  return `${palette.bold('Executor')}\n${facts}\n${table(columns, rows, width, palette)}`
}

function rowOf(what: string, { mean, p50, p90, p99, max }: Distribution, { dim }: Colors): string[] {
  return [`  ${dim(what)}`, ...[mean, p50, p90, p99, max].map(fine)]
}

/** A span that may be short: `12 µs`, `1.3 ms`. */
function fine(ms: number): string {
  if (ms < 0.9995) return `${Math.round(ms * 1000)} µs`
  return ms < 9.95 ? `${ms.toFixed(1)} ms` : span(ms)
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
