import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { MintakaError } from '../../core/errors.js'
import { longestTimer } from '../../core/surroundings.js'
import type { Limits } from '../../deployments/deployment.js'
import type { Launch, LaunchEnd, Launcher } from '../../deployments/launcher.js'
import { type DeploymentRecord, type ScheduledRun, toDocument } from '../../deployments/record.js'
import { errorOf, isBegun, isRefusal, type Order, type Refusal } from './messages.js'
import { passOnLines } from './pass-on-lines.js'

const childFile = fileURLToPath(new URL('./child.js', import.meta.url))

/** How long a file may take to be loaded. One that never comes to its end would keep a place for ever. */
const loadTimeoutMs = 60_000

/** How long a process may go on after the time limit of its run: the flow run ends in order if its code lets it. */
const graceMs = 10_000

/** How long one that is asked to cancel its run may take. */
const cancelGraceMs = 5000

/** Carries out each run in a process of its own, with the limits of its deployment. What it prints is passed on by line. */
export class ChildLauncher implements Launcher {
  serves(): boolean {
    return true
  }

  launch(run: ScheduledRun, { limits, ...record }: DeploymentRecord): Launch {
    const child = start(limits)
    const kill = new Kill(child)
    kill.after(loadTimeoutMs, `its file was still being loaded after ${loadTimeoutMs / 1000} s`)
    child.on('message', message => {
      if (isBegun(message)) kill.giveTime(limits)
    })
    const ended = endOf(child, run, () => kill.reason ?? outOfMemory(child, limits)).finally(() => kill.not())
    passOnLines(child, run.name)
    order(child, { type: 'run', run: toDocument(run), deployment: toDocument({ ...record, limits }) })
    return {
      ended,
      stop(how) {
        if (how === 'kill') child.kill('SIGKILL')
        else {
          order(child, { type: 'cancel' })
          kill.after(cancelGraceMs, `it had not ended ${cancelGraceMs / 1000} s after it was asked to`)
        }
      },
    }
  }
}

/** When a process is killed if it has not ended by then, and why. */
class Kill {
  /** Why it was; `undefined`: it was not. */
  reason: string | undefined
  readonly #child: ChildProcess
  #timer: NodeJS.Timeout | undefined

  constructor(child: ChildProcess) {
    this.#child = child
  }

  after(ms: number, reason: string): void {
    this.not()
    this.#timer = setTimeout(
      () => {
        this.reason = reason
        process.stderr.write(`Process ${this.#child.pid} is killed: ${reason}.\n`)
        this.#child.kill('SIGKILL')
      },
      Math.min(ms, longestTimer),
    )
  }

  not(): void {
    clearTimeout(this.#timer)
  }

  /** Its flow run has begun: it ends in order at its time limit, if its code lets it. */
  giveTime({ timeoutMs }: Limits = {}): void {
    this.not()
    if (timeoutMs === undefined) return
    const limit = `its time limit of ${timeoutMs / 1000} s`
    this.after(timeoutMs + graceMs, `it had not ended ${graceMs / 1000} s after ${limit}`)
  }
}

/** A process group of its own: Ctrl-C in the terminal of the agent reaches the agent alone. */
function start(limits: Limits | undefined): ChildProcess {
  const { memoryBytes } = limits ?? {}
  const memory = memoryBytes === undefined ? [] : [`--max-old-space-size=${Math.floor(memoryBytes / 1024 / 1024)}`]
  const inherited = process.execArgv.filter(option => !option.startsWith('--inspect'))
  return fork(childFile, [String(process.pid)], {
    execArgv: [...inherited, ...memory],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'json',
    detached: true,
  })
}

function endOf(child: ChildProcess, run: ScheduledRun, why: () => string | undefined): Promise<LaunchEnd> {
  let refusal: Refusal | undefined
  child.on('message', message => {
    if (isRefusal(message)) refusal = message
  })
  return new Promise(resolve => {
    child.on('error', cause => {
      const error = new MintakaError('CRASHED', `No process could be started: ${cause.message}`, { cause })
      if (child.pid === undefined) resolve({ type: 'crashed', error })
    })
    child.on('exit', (code, signal) => {
      const end = (): LaunchEnd => {
        if (refusal) return { type: 'failed', error: errorOf(refusal.error) }
        return { type: 'crashed', error: crash(child, run, signal ?? `exit code ${code}`, why()) }
      }
      // What it has said last may still be on its way.
      if (child.connected) child.once('disconnect', () => resolve(end()))
      else resolve(end())
    })
  })
}

/** How it ended if there is no flow run in the store. */
function crash({ pid }: ChildProcess, { name }: ScheduledRun, how: string, why: string | undefined): MintakaError {
  const sentence = `Process ${pid} ended with ${how} before it began flow run '${name}'`
  return new MintakaError('CRASHED', why === undefined ? `${sentence}.` : `${sentence}: ${why}.`, { pid })
}

/** V8 ends a process that has no memory left by SIGABRT. */
function outOfMemory({ signalCode }: ChildProcess, { memoryBytes }: Limits = {}): string | undefined {
  if (signalCode !== 'SIGABRT' || memoryBytes === undefined) return undefined
  return `it ran out of memory, its limit is ${Math.floor(memoryBytes / 1024 / 1024)} MiB`
}

/** One that has just ended cannot be told anything any more; how it ended is told by itself. */
function order(child: ChildProcess, order: Order): void {
  if (child.connected) child.send(order, () => {})
}
