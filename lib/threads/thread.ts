import type { ResourceLimits, Worker } from 'node:worker_threads'
import type { Piscina as PiscinaType } from 'piscina'
import { MintakaError } from '../core/errors.js'
import type { Call, Outcome } from '../core/executor.js'
import { fromWire } from '../values/wire.js'
import {
  ClaimSlot,
  type Code,
  type Envelope,
  type Notice,
  type PackedReply,
  pack,
  type Reply,
  type ThreadData,
  unpackReply,
} from './protocol.js'

export type PiscinaClass = typeof PiscinaType

export interface ThreadOptions {
  readonly resourceLimits?: ResourceLimits | undefined
  /** How long code that was asked to stop may go on before its thread is ended. Default 500. */
  readonly cancelGraceMs?: number | undefined
  /** How long a thread without work is kept. Default: as long as its pool. */
  readonly idleTimeoutMs?: number | undefined
  /** Told of what fails in the background, after the task that caused it has ended. */
  readonly warn: (message: string, fields?: Readonly<Record<string, unknown>>) => void
}

type Needed = 'id' | 'name' | 'attempt' | 'flowRunId' | 'tags' | 'signal' | 'started' | 'log' | 'progress'

export interface WorkCall extends Pick<Call, Needed> {
  /** Calls back when `signal` fires, or has fired. An AbortController for every call costs a fifth of the throughput. */
  whenStopped?(callback: () => void): void
}

/** What a thread needs to carry out a call. */
export interface Work {
  readonly call: Pick<
    Call,
    'id' | 'name' | 'attempt' | 'flowRunId' | 'tags' | 'signal' | 'started' | 'log' | 'progress'
  >
  readonly code: Code
  readonly priority: number
  /** The list of arguments in wire form; `moved` takes the buffers to move. Throws NOT_SENDABLE. */
  encodeArgs(moved: ArrayBuffer[]): unknown
}

interface Running {
  readonly work: Work
  readonly n: number
  readonly settle: (outcome: Outcome) => void
  wasReported: boolean
  isStopping: boolean
  /** How many of its notices have come. */
  received: number
  reply: Reply | undefined
  grace: NodeJS.Timeout | undefined
}

/**
 * One thread and the call it runs: a Piscina of a single thread, so that it is known at every moment what runs where,
 * and ending a thread ends nothing else. Starts its thread with its first call; once it has lost or ended it, it is of
 * no more use.
 */
export class Thread {
  /** Whether it can take another call: `false` once its thread is lost, ended or not to be trusted. */
  isUsable = true
  private readonly piscina: PiscinaType
  private readonly slot: ClaimSlot
  private readonly options: ThreadOptions
  private readonly onFree: (thread: Thread) => void
  /** The numbers of the codes that the worker has, by key. */
  private readonly known = new Map<string, number>()
  private codeCount = 0
  private worker: Worker | undefined
  private running: Running | undefined
  private n = 0
  private ending: Promise<void> | undefined

  /**
   * `onFree` is called when a call has ended, before it is settled: the thread shall not wait for what that sets off.
   */
  constructor(Piscina: PiscinaClass, options: ThreadOptions, onFree: (thread: Thread) => void) {
    const memory = new SharedArrayBuffer(ClaimSlot.bytes)
    const workerData: ThreadData = { mintaka: memory }
    this.slot = new ClaimSlot(memory)
    this.options = options
    this.onFree = onFree
    this.piscina = new Piscina({
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
    this.piscina.on('error', error => this.onBackgroundError(error))
    this.piscina.on('workerDestroy', () => this.forgetWorker())
    this.piscina.on('message', notice => this.onNotice(notice as Notice))
  }

  /** Whether a call is running whose start nobody has been told of yet. */
  get hasUnreported(): boolean {
    return this.running !== undefined && !this.running.wasReported
  }

  /** Carries a call out, one at a time. Calls back when its code has ended or was stopped. */
  carryOut(work: Work, settle: (outcome: Outcome) => void): void {
    const moved: ArrayBuffer[] = []
    const n = ++this.n
    this.running = {
      work,
      n,
      settle,
      wasReported: false,
      isStopping: false,
      received: 0,
      reply: undefined,
      grace: undefined,
    }
    let envelope: Envelope
    try {
      envelope = this.envelope(work, n, moved)
    } catch (error) {
      return this.settle({ type: 'threw', error })
    }
    this.piscina
      .run(pack(envelope), moved.length > 0 ? { transferList: moved } : undefined)
      .then(this.onReply, this.onLost)
    this.worker ??= this.piscina.threads[0]
  }

  /** Asks the running call to stop, and ends the thread if it has not after the time of grace. */
  stop(): void {
    const { running } = this
    if (!running) return
    running.isStopping = true
    this.slot.stop(running.n)
    running.grace = setTimeout(() => this.endWith({ type: 'stopped' }), this.options.cancelGraceMs ?? 500)
  }

  /** Tells the running call when it began, if it has. */
  report(): void {
    const { running } = this
    const at = running && !running.wasReported ? this.slot.claimedAt(running.n) : undefined
    if (running && at !== undefined) reportStart(running, at)
  }

  /** Ends the thread. Resolves when nothing of it runs any more; a running call then has ended so. */
  async end(outcome?: Outcome): Promise<void> {
    this.isUsable = false
    this.ending ??= this.piscina.destroy()
    await this.ending
    if (outcome) this.settle(outcome)
  }

  private envelope({ call, code, encodeArgs }: Work, n: number, moved: ArrayBuffer[]): Envelope {
    const args = encodeArgs(moved)
    const known = this.known.get(code.key)
    const number = known ?? this.codeCount++
    if (known === undefined) this.known.set(code.key, number)
    const { id, name, flowRunId, attempt, tags } = call
    const newCode = known === undefined ? code : undefined
    return { n, id, name, flowRunId, code: number, args, attempt, tags, newCode }
  }

  private forgetWorker(): void {
    this.worker = undefined
    this.known.clear()
  }

  private readonly onReply = (packed: PackedReply): void => {
    const reply = unpackReply(packed)
    const { running } = this
    if (!running || this.ending) return
    running.reply = reply
    this.finishWhenComplete(running)
  }

  // Notices come by another port than replies: a log line must not come after the result of its call.
  private finishWhenComplete(running: Running): void {
    const { reply } = running
    if (reply && running.received >= reply.posted) this.settle(reply)
  }

  private readonly onLost = async (error: unknown): Promise<void> => {
    const { running } = this
    if (!running || this.ending) return
    if (isCloneError(error)) {
      this.known.delete(running.work.code.key)
      return this.settle({ type: 'threw', error: notSendable(running.work, 'an argument', error) })
    }
    this.isUsable = false
    const { worker } = this
    // The last notices come before the end of the thread.
    await worker?.terminate()
    this.endWith({ type: 'crashed', error: workerLost(running.work, error) })
  }

  private onBackgroundError(error: unknown): void {
    // Without a call that it belongs to, Piscina reports it here: also when a thread could not even start.
    if (this.running) void this.onLost(error)
    else this.warnOfStray(undefined, error)
  }

  private onNotice(notice: Notice): void {
    const running = this.running?.n === notice.n ? this.running : undefined
    switch (notice.mintaka) {
      case 'log':
        running?.work.call.log(notice.level, notice.message, fromWire(notice.fields) as Fields, notice.at)
        break
      case 'progress':
        running?.work.call.progress(notice.fraction, notice.note)
        break
      case 'stray':
        return this.onStray(running, notice.taskName, fromWire(notice.error))
      case 'unsent':
        if (!running) return
        return this.endWith({ type: 'threw', error: notSendable(running.work, 'the result', fromWire(notice.error)) })
      default:
        return
    }
    if (!running) return
    running.received++
    this.finishWhenComplete(running)
  }

  // Of the running call: it fails, and as its code may still go on, its thread ends. Of an earlier one or nobody's: no
  // other call shall pay for it, so the thread takes none after the running one.
  private onStray(running: Running | undefined, taskName: string | undefined, error: unknown): void {
    if (running) return this.endWith({ type: 'threw', error })
    this.warnOfStray(taskName, error)
    this.isUsable = false
    if (!this.running) void this.end()
  }

  private warnOfStray(taskName: string | undefined, error: unknown): void {
    const whose = taskName === undefined ? 'a task' : `task '${taskName}'`
    this.options.warn(`Something that ${whose} left running in a worker failed after the task had ended.`, { error })
  }

  private endWith(outcome: Outcome): void {
    if (!this.running || this.ending) return
    this.report()
    void this.end(outcome)
  }

  private settle(end: Outcome | Reply): void {
    const { running } = this
    if (!running) return
    clearTimeout(running.grace)
    this.running = undefined
    if (!this.isUsable) void this.end()
    this.onFree(this)
    if ('startedAt' in end && end.type !== 'stopped') reportStart(running, end.startedAt)
    running.settle(running.isStopping ? { type: 'stopped' } : 'startedAt' in end ? outcomeOf(end) : end)
  }
}

function reportStart(running: Running, at: number): void {
  if (running.wasReported) return
  running.wasReported = true
  running.work.call.started(at)
}

type Fields = Readonly<Record<string, unknown>> | undefined

function outcomeOf({ type, value }: Reply): Outcome {
  if (type === 'stopped') return { type }
  const decoded = fromWire(value)
  return type === 'returned' ? { type, value: decoded } : { type, error: decoded }
}

function workerLost({ code: { taskName } }: Work, cause: unknown): MintakaError {
  const { code, message = '' } = (cause ?? {}) as { code?: unknown; message?: string }
  const exitCode = /^worker exited with code: (-?\d+)$/.exec(message)?.[1]
  const how =
    code === 'ERR_WORKER_OUT_OF_MEMORY'
      ? 'ran out of memory'
      : exitCode !== undefined
        ? `exited with code ${exitCode} (process.exit() in the task?)`
        : `was lost: ${message || String(cause)}`
  return new MintakaError('WORKER_LOST', `The worker running task '${taskName}' ${how}`, {
    cause,
    task: taskName,
    ...(exitCode === undefined ? {} : { exitCode: Number(exitCode) }),
  })
}

function notSendable({ code: { taskName } }: Work, what: string, cause: unknown): MintakaError {
  const { message } = cause as Error
  return new MintakaError(
    'NOT_SENDABLE',
    `Task '${taskName}': ${what} can't be sent to or from a worker (${message}).`,
    {
      cause,
      task: taskName,
    },
  )
}

function isCloneError(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'DataCloneError'
}

/** NODE_OPTIONS without what would load other code into a thread. */
export function withoutPreloads(options: string): string {
  return options
    .replace(/(?<=^|\s)(?:--import|--require|-r|--loader|--experimental-loader)(?:=|\s+)(?:"[^"]*"|\S+)/g, '')
    .trim()
}
