import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { MintakaError } from '../../core/errors.js'
import { longestTimer } from '../../core/surroundings.js'
import type { Limits } from '../../deployments/deployment.js'
import type { Launch, LaunchEnd, Launcher } from '../../deployments/launcher.js'
import { type DeploymentRecord, type ScheduledRun, toDocument } from '../../deployments/record.js'
import { errorOf, isRefusal, type Order, type Refusal } from './messages.js'
import { passOnLines } from './pass-on-lines.js'

const childFile = fileURLToPath(new URL('./child.js', import.meta.url))

/** How long a process may go on after the time limit of its run: the flow run ends in order if its code lets it. */
const graceMs = 10_000

/** How long one that is asked to cancel its run may take. */
const cancelGraceMs = 5000

/** Carries out each run in a process of its own, with the limits of its deployment. What it prints is passed on by line. */
export class ChildLauncher implements Launcher {
  serves(): boolean {
    return true
  }

  launch(run: ScheduledRun, deployment: DeploymentRecord): Launch {
    const child = start(deployment.limits)
    const { limits } = deployment
    const timer = limits?.timeoutMs === undefined ? undefined : killAfter(child, limits.timeoutMs + graceMs)
    const ended = endOf(child, run).finally(() => clearTimeout(timer))
    passOnLines(child, run.name)
    order(child, { type: 'run', run: toDocument(run), deployment: toDocument(deployment) })
    return {
      ended,
      stop(how) {
        if (how === 'kill') child.kill('SIGKILL')
        else cancel(child, ended)
      },
    }
  }
}

/** A process group of its own: Ctrl-C in the terminal of the agent reaches the agent alone. */
function start(limits: Limits | undefined): ChildProcess {
  const { memoryBytes } = limits ?? {}
  const memory = memoryBytes === undefined ? [] : [`--max-old-space-size=${Math.floor(memoryBytes / 1024 / 1024)}`]
  const inherited = process.execArgv.filter(option => !option.startsWith('--inspect'))
  return fork(childFile, [], {
    execArgv: [...inherited, ...memory],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'json',
    detached: true,
  })
}

function endOf(child: ChildProcess, run: ScheduledRun): Promise<LaunchEnd> {
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
        if (code === 0) return { type: 'ran' }
        return { type: 'crashed', error: crash(child, run, signal ?? `exit code ${code}`) }
      }
      // What it has said last may still be on its way.
      if (child.connected) child.once('disconnect', () => resolve(end()))
      else resolve(end())
    })
  })
}

function crash({ pid }: ChildProcess, { name }: ScheduledRun, how: string): MintakaError {
  const sentence = `Process ${pid} ended with ${how} before it began flow run '${name}'.`
  return new MintakaError('CRASHED', sentence, { pid })
}

function cancel(child: ChildProcess, ended: Promise<unknown>): void {
  order(child, { type: 'cancel' })
  const timer = killAfter(child, cancelGraceMs)
  void ended.finally(() => clearTimeout(timer))
}

function killAfter(child: ChildProcess, ms: number): NodeJS.Timeout {
  return setTimeout(() => child.kill('SIGKILL'), Math.min(ms, longestTimer))
}

/** One that has just ended cannot be told anything any more; how it ended is told by itself. */
function order(child: ChildProcess, order: Order): void {
  if (child.connected) child.send(order, () => {})
}
