import { fileURLToPath } from 'node:url'
import type { MintakaError } from '../../core/errors.js'
import type { ClusterLog } from './cluster.js'
import { Program } from './program.js'
import { endedError } from './python-process.js'
import { afterEnd, type Life, maxLives } from './restarts.js'

/** What makes workers of one kind. */
export interface WorkerKind {
  nameOf(number: number): string
  commandOf(name: string): WorkerCommand
}

export interface WorkerCommand {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** The program of a Node worker, as it is built. */
export const nodeWorkerCommand: readonly string[] = [
  process.execPath,
  fileURLToPath(new URL('../../../workers/dask-worker.js', import.meta.url)),
]

/** One of its kind: its process is started again when it ends by itself, as Dask's nanny does. */
interface Worker {
  readonly name: string
  program: Program
  lives: Life[]
  isReady: boolean
  isLeaving: boolean
  restart?: NodeJS.Timeout
}

const graceMs = 1500

/** Worker processes of one kind, named by number. They end with this process, whatever happens to it. */
export class WorkerProcesses {
  /** Resolves with why, when none is left because they could not be kept alive. */
  readonly failed: Promise<MintakaError>
  readonly #kind: WorkerKind
  readonly #log: ClusterLog
  readonly #workers = new Map<number, Worker>()
  readonly #whenWhole: (() => void)[] = []
  #fail: (error: MintakaError) => void = () => {}
  #isEnding = false

  constructor(kind: WorkerKind, log: ClusterLog) {
    this.#kind = kind
    this.#log = log
    this.failed = new Promise(resolve => {
      this.#fail = resolve
    })
  }

  /** The scheduler has the worker of that name. */
  arrived(name: string): void {
    for (const worker of this.#workers.values()) if (worker.name === name) worker.isReady = true
    this.#look()
  }

  /** Whether the scheduler has every one that it shall have: none is on its way, or being started again. */
  get isWhole(): boolean {
    return [...this.#workers.values()].every(worker => worker.isReady || worker.isLeaving)
  }

  /** Resolves when it is whole; what was given up is not waited for. */
  whole(): Promise<void> {
    return new Promise(resolve => {
      this.#whenWhole.push(resolve)
      this.#look()
    })
  }

  get count(): number {
    return this.#workers.size
  }

  /** Starts what is missing of `count` workers. */
  grow(count: number): void {
    for (let number = 0; this.count < count && !this.#isEnding; number += 1) {
      if (!this.#workers.has(number)) this.#start(number)
    }
  }

  /** Marks what is too much of `count` workers, the latest first; gives their names. They are not started again. */
  shrink(count: number): string[] {
    const tooMany = [...this.#workers.keys()].sort((a, b) => b - a).slice(0, Math.max(0, this.count - count))
    return tooMany.map(number => {
      const worker = this.#workers.get(number)!
      worker.isLeaving = true
      return worker.name
    })
  }

  /** Waits for those that were marked, and ends what does not end by itself. */
  async see(names: readonly string[]): Promise<void> {
    const leaving = [...this.#workers].filter(([, { name }]) => names.includes(name))
    await Promise.all(leaving.map(([, worker]) => finish(worker)))
    for (const [number] of leaving) this.#workers.delete(number)
  }

  /** Ends all. Nothing is started after it. */
  async end(): Promise<void> {
    this.#isEnding = true
    await Promise.all([...this.#workers.values()].map(finish))
    this.#workers.clear()
  }

  #start(number: number): void {
    const name = this.#kind.nameOf(number)
    const program = this.#launch(number, name)
    this.#workers.set(number, { name, program, lives: [], isReady: false, isLeaving: false })
  }

  #launch(number: number, name: string): Program {
    const { command, args, env } = this.#kind.commandOf(name)
    const begin = performance.now()
    const program = new Program(command, args, env ? { env } : {})
    void program.ended.then(({ code, how }) => this.#onEnd(number, how, code, performance.now() - begin))
    return program
  }

  #onEnd(number: number, how: string, code: number | null, livedMs: number): void {
    const worker = this.#workers.get(number)
    if (!worker || worker.isLeaving || this.#isEnding) return
    worker.lives = [...worker.lives, { code, livedMs, wasReady: worker.isReady }].slice(-maxLives)
    worker.isReady = false
    const next = afterEnd(worker.lives)
    if (next.type === 'restart') return this.#restart(number, worker, how, next.afterMs)
    this.#workers.delete(number)
    if (next.type === 'given up') this.#giveUp(worker, how)
    this.#look()
  }

  #restart(number: number, worker: Worker, how: string, afterMs: number): void {
    this.#log(`Worker ${worker.name} ${how}; it is started again.`, { worker: worker.name, afterMs })
    worker.restart = setTimeout(() => {
      if (!worker.isLeaving) worker.program = this.#launch(number, worker.name)
    }, afterMs)
  }

  #giveUp({ name, program }: Worker, how: string): void {
    this.#log(`Worker ${name} ${how} again; it is not started any more.`, { worker: name })
    if (this.count > 0) return
    this.#fail(endedError(`Worker ${name} of a temporary Dask cluster`, `${how} again and again`, program.lastWords))
  }

  #look(): void {
    if (!this.isWhole) return
    for (const resolve of this.#whenWhole.splice(0)) resolve()
  }
}

async function finish(worker: Worker): Promise<void> {
  clearTimeout(worker.restart)
  await worker.program.end(graceMs)
}
