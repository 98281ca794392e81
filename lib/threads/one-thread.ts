import {
  MessageChannel,
  type MessagePort,
  type ResourceLimits,
  receiveMessageOnPort,
  type Worker,
} from 'node:worker_threads'
import type { Piscina as PiscinaType } from 'piscina'
import { withoutPreloads } from '../core/preloads.js'
import type { Code, Notice, ThreadStart } from './protocol.js'

export type PiscinaClass = typeof PiscinaType

export interface WorkerOptions {
  readonly resourceLimits?: ResourceLimits | undefined
  /** Runs once in each thread, before its first call. */
  readonly setup?: Code | undefined
}

/** How long a thread may go on once its port is closed: one that ends by itself ends within a few milliseconds. */
const overdueMs = 200

/** What is told of a thread. */
export interface ThreadEvents {
  onNotice(notice: Notice): void
  /** It has ended, and nobody had asked for it: ran out of memory, exited, or could not load its file. */
  onLost(error: unknown): void
}

/**
 * A Piscina of a single thread, so that it is known at every moment what runs where, and ending it ends nothing else.
 * Piscina starts, limits and ends the thread; calls and replies take a port of our own and shared memory, because its
 * message per task each way is what limits a pool of small tasks.
 */
export class OneThread {
  readonly port: MessagePort
  /** The `threadId`, also when it has ended. */
  readonly id: number
  private readonly piscina: PiscinaType
  private readonly worker: Worker
  private isEnding = false

  constructor(Piscina: PiscinaClass, memory: SharedArrayBuffer, options: WorkerOptions, events: ThreadEvents) {
    const { port1, port2 } = new MessageChannel()
    this.port = port1
    this.port.on('message', (notice: Notice) => events.onNotice(notice))
    this.port.unref()
    this.piscina = new Piscina(piscinaOptions(options))
    this.piscina.on('error', () => {}) // the worker's own event tells it
    const start: ThreadStart = { memory, port: port2, setup: options.setup }
    let cause: unknown
    const started = this.piscina.run(start, { transferList: [port2] })
    this.worker = this.piscina.threads[0] as Worker
    this.id = this.worker.threadId
    this.worker.on('error', error => {
      cause = error
    })
    let overdue: NodeJS.Timeout | undefined
    this.worker.on('exit', code => {
      clearTimeout(overdue)
      if (!this.isEnding) events.onLost(cause ?? new Error(`worker exited with code: ${code}`))
    })
    // Its port is closed before it has ended, and then nothing else keeps the process until the end is told. If it does
    // not end, a task has closed the port: nothing reaches the thread any more, and it is of no more use.
    this.port.on('close', () => {
      this.worker.ref()
      overdue = setTimeout(() => {
        if (this.isEnding) return
        cause ??= new Error('its port was closed')
        void this.worker.terminate()
      }, overdueMs)
    })
    started.catch(error => {
      cause ??= error
      void this.worker.terminate() // its file has loaded, and failed
    })
  }

  /** What it has posted that has not been told of: for those who cannot wait for the event loop. */
  *posted(): Iterable<Notice> {
    for (let entry = receiveMessageOnPort(this.port); entry; entry = receiveMessageOnPort(this.port)) {
      yield entry.message as Notice
    }
  }

  /** Ends the thread, whatever runs in it. Resolves when nothing does any more. */
  async end(): Promise<void> {
    this.isEnding = true
    await this.worker.terminate()
    await this.piscina.destroy()
  }

  close(): void {
    this.port.close()
  }
}

function piscinaOptions({ resourceLimits }: WorkerOptions) {
  return {
    filename: new URL('../../workers/thread.cjs', import.meta.url).href,
    minThreads: 0,
    maxThreads: 1,
    concurrentTasksPerWorker: 1,
    idleTimeout: Number.POSITIVE_INFINITY,
    // Otherwise an idle thread is frozen, and with it whatever a task left open.
    atomics: 'disabled' as const,
    recordTiming: false,
    workerHistogram: false,
    // What we send needs no loader, and preloads may print or listen.
    execArgv: [],
    argv: process.argv.slice(2),
    env: { ...process.env, NODE_OPTIONS: withoutPreloads(process.env['NODE_OPTIONS'] ?? '') },
    ...(resourceLimits ? { resourceLimits } : {}),
  }
}
