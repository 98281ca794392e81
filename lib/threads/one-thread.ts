import type { ResourceLimits } from 'node:worker_threads'
import type { Piscina as PiscinaType } from 'piscina'
import type { ThreadData } from './protocol.js'

export type PiscinaClass = typeof PiscinaType

export interface WorkerOptions {
  readonly resourceLimits?: ResourceLimits | undefined
  /** How long a thread without work is kept. Default: as long as its pool. */
  readonly idleTimeoutMs?: number | undefined
}

/** A Piscina of a single thread, so that it is known at every moment what runs where, and ending it ends nothing else. */
export function oneThread(Piscina: PiscinaClass, memory: SharedArrayBuffer, options: WorkerOptions): PiscinaType {
  const workerData: ThreadData = { mintaka: memory }
  return new Piscina({
    filename: new URL('../../workers/thread.js', import.meta.url).href,
    minThreads: 0,
    maxThreads: 1,
    concurrentTasksPerWorker: 1,
    idleTimeout: options.idleTimeoutMs ?? Number.POSITIVE_INFINITY,
    // Otherwise an idle thread is frozen, and with it whatever a task left open.
    atomics: 'disabled',
    recordTiming: false,
    // What we send needs no loader, and preloads may print or listen.
    execArgv: [],
    argv: process.argv.slice(2),
    env: { ...process.env, NODE_OPTIONS: withoutPreloads(process.env['NODE_OPTIONS'] ?? '') },
    workerData,
    ...(options.resourceLimits ? { resourceLimits: options.resourceLimits } : {}),
  })
}

/** NODE_OPTIONS without what would load other code into a thread. */
export function withoutPreloads(options: string): string {
  return options
    .replace(/(?<=^|\s)(?:--import|--require|-r|--loader|--experimental-loader)(?:=|\s+)(?:"[^"]*"|\S+)/g, '')
    .trim()
}
