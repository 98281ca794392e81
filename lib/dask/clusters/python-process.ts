import { delimiter } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MintakaError } from '../../core/errors.js'
import { type Ending, Program } from './program.js'

/** The folder of the package `mintaka_dask`, for PYTHONPATH. */
const shims = fileURLToPath(new URL('./python', import.meta.url))

/** What a Python process of ours needs to know of its surroundings. */
export function pythonEnvironment(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  return { PYTHONPATH: [shims, env['PYTHONPATH']].filter(Boolean).join(delimiter) }
}

interface Answer {
  readonly id?: number
  readonly result?: unknown
  readonly error?: PythonFailure
  readonly event?: string
  readonly message?: string
}

/** An exception over there. */
export interface PythonFailure {
  readonly type: string
  readonly message: string
  readonly traceback: string
}

interface Question {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

export interface PythonProcessOptions {
  readonly python: string
  /** Of `mintaka_dask`. */
  readonly module: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** What the process tells without having been asked. */
  onEvent(event: string, message: string): void
}

/** A module of `mintaka_dask` that runs and answers requests, see `python/mintaka_dask/parent.py`. */
export class PythonProcess {
  readonly program: Program
  readonly #questions = new Map<number, Question>()
  readonly #onEvent: (event: string, message: string) => void
  #count = 0
  #ending: Ending | undefined

  constructor({ python, module, args = [], env = {}, onEvent }: PythonProcessOptions) {
    this.#onEvent = onEvent
    this.program = new Program(python, ['-m', `mintaka_dask.${module}`, ...args], {
      env: { ...pythonEnvironment(), ...env },
      onAnswer: line => this.#heard(JSON.parse(line) as Answer),
    })
    void this.program.ended.then(ending => {
      this.#ending = ending
      for (const { reject } of this.#questions.values()) reject(this.#endedError(ending))
      this.#questions.clear()
    })
  }

  /** Rejects with DASK_CLUSTER: what Python raised, or that the process has ended. */
  ask(op: string, fields: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.#ending) return Promise.reject(this.#endedError(this.#ending))
    return new Promise((resolve, reject) => {
      this.#count += 1
      this.#questions.set(this.#count, { resolve, reject })
      this.program.tell(JSON.stringify({ id: this.#count, op, ...fields }))
    })
  }

  #heard({ id, result, error, event, message = '' }: Answer): void {
    if (event !== undefined) return this.#onEvent(event, message)
    const question = this.#questions.get(id ?? 0)
    this.#questions.delete(id ?? 0)
    if (error) question?.reject(pythonError(error))
    else question?.resolve(result)
  }

  #endedError({ how }: Ending): MintakaError {
    return endedError('The Python process of a temporary Dask cluster', how, this.program.lastWords)
  }
}

/** The error of a process that ended by itself: `what`, how, and what it said last. */
export function endedError(what: string, how: string, lastWords: string): MintakaError {
  const said = lastWords === '' ? 'It said nothing.' : `It said last:\n${lastWords}`
  return new MintakaError('DASK_CLUSTER', `${what} ${how}. ${said}`)
}

function pythonError({ type, message, traceback }: PythonFailure): MintakaError {
  return new MintakaError('DASK_CLUSTER', `${type}: ${message}`, { pyType: type, traceback })
}
