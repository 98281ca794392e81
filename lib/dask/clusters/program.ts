import { type ChildProcess, spawn } from 'node:child_process'
import { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { withoutPreloads } from '../../core/preloads.js'
import { LogTail, lineReader } from './log-tail.js'

/** How a process ended. */
export interface Ending {
  readonly code: number | null
  /** `ended with code 1`, `was ended by SIGKILL`, `could not be started: …` */
  readonly how: string
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Given each line of stdout. Without it, they are what the process says, as those of stderr are. */
  readonly onAnswer?: (line: string) => void
}

// An answer of a Python process may hold certificates.
const maxAnswerLength = 1 << 20

/**
 * A process that ends when its stdin does: so it cannot outlive this one, however this one ends. It is out of reach of the
 * Ctrl-C of a terminal, which would end a cluster under a flow that is being cancelled.
 */
export class Program {
  /** Resolves when it has ended and all it said has been read. Never rejects. */
  readonly ended: Promise<Ending>
  readonly #child: ChildProcess
  readonly #tail = new LogTail()

  constructor(command: string, args: readonly string[], { env, onAnswer }: ProgramOptions = {}) {
    this.#child = spawn(command, args, {
      env: { ...environment(), ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      windowsHide: true,
    })
    const { stdin, stdout, stderr } = this.#child
    stdin?.on('error', () => {}) // it has ended: that is told below
    stdout?.setEncoding('utf8').on('data', onAnswer ? lineReader(onAnswer, maxAnswerLength) : this.#tail.reader())
    stderr?.setEncoding('utf8').on('data', this.#tail.reader())
    this.ended = endOf(this.#child)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** The last lines that it said. */
  get lastWords(): string {
    return this.#tail.text()
  }

  /** One line to its stdin. */
  tell(line: string): void {
    this.#child.stdin?.write(`${line}\n`)
  }

  /** Lets it end, then kills it; resolves when it has ended. */
  async end(graceMs: number): Promise<void> {
    this.#child.stdin?.end()
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), graceMs)
    await this.ended
    clearTimeout(kill)
  }

  /** Lets it end, and waits for that no longer than told. Then it goes on alone, and keeps this process no more. */
  async leave(waitMs: number): Promise<void> {
    this.#child.stdin?.end()
    await Promise.race([this.ended, delay(waitMs, undefined, { ref: false })])
    this.#child.unref()
    for (const stream of [this.#child.stdout, this.#child.stderr]) if (stream instanceof Socket) stream.unref()
  }
}

// Loaders of this process are not for others, and two cannot be inspected by one port.
function environment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: options, ...rest } = process.env
  if (options === undefined) return rest
  return {
    ...rest,
    NODE_OPTIONS: withoutPreloads(options)
      .replace(/(?<=^|\s)--inspect\S*/g, '')
      .trim(),
  }
}

// What it leaves behind may hold its pipes open: they are not waited for.
const readingMs = 200

function endOf(child: ChildProcess): Promise<Ending> {
  return new Promise(resolve => {
    child.once('error', error => resolve({ code: null, how: `could not be started: ${error.message}` }))
    child.once('exit', (code, signal) => {
      const ending = { code, how: signal ? `was ended by ${signal}` : `ended with code ${code}` }
      const late = setTimeout(() => {
        child.stdout?.destroy()
        child.stderr?.destroy()
        resolve(ending)
      }, readingMs)
      child.once('close', () => {
        clearTimeout(late)
        resolve(ending)
      })
    })
  })
}
