/**
 * The process of one run of a deployment: it loads the file, begins the flow run, and ends with it. It belongs to its
 * agent: it ends at once when that is gone, and leaves signals to it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { asError, MintakaError } from '../../core/errors.js'
import { type DeploymentRecord, deploymentFrom, type ScheduledRun, scheduledFrom } from '../../deployments/record.js'
import { startRun } from '../../deployments/start-run.js'
import type { Engine } from '../../engine/engine.js'
import type { FlowLife } from '../../engine/run-flow.js'
import { cliEngine } from '../engine.js'
import { flowOfDeployment } from '../load/deployed-flow.js'
import { type Order, thrownOf } from './messages.js'

/** How long the store may not be writable before the run is given up. */
const storeTimeoutMs = 30_000

/** Its agent is the first argument: by now that may be gone. */
const watchdog = new Worker(new URL('./watchdog.js', import.meta.url), {
  workerData: { agent: Number(process.argv[2]) },
  execArgv: [],
})
watchdog.unref()

let life: FlowLife | undefined
let isCancelled = false

process.on('disconnect', () => process.exit(1)) // the agent is gone: the run is CRASHED
process.on('SIGINT', () => {}) // Ctrl-C reaches all processes of a terminal, and it is the agent that decides
process.on('SIGTERM', () => {})
process.on('message', (order: Order) => {
  if (order.type === 'cancel') cancel()
  else void carryOut(order)
})

function cancel(): void {
  isCancelled = true
  life?.cancel('its agent stops')
}

async function carryOut({ run: sent, deployment: record }: Extract<Order, { type: 'run' }>): Promise<void> {
  process.channel?.unref() // what keeps the process alive is the flow run
  const run = scheduledFrom(sent)
  const deployment = deploymentFrom(record)
  try {
    if (!run || !deployment) throw new MintakaError('INVALID_ARGUMENT', 'The run is damaged.')
    await toEnd(run, deployment, await flowOfDeployment(deployment))
    leave(0)
  } catch (error) {
    if (life) process.stderr.write(`${asError(error).message}\n`)
    await refuse(asError(error))
    leave(1)
  }
}

/** Why there is no flow run, if there turns out to be none. */
function refuse(error: Error): Promise<void> {
  return new Promise(resolve => process.send?.({ type: 'cannot', error: thrownOf(error) }, () => resolve()))
}

async function toEnd(run: ScheduledRun, { limits }: DeploymentRecord, flow: unknown): Promise<void> {
  const engine = cliEngine()
  await engine.ready
  const begun = startRun(engine, flow, run, limits)
  life = begun
  process.send?.({ type: 'begun' }, () => {})
  if (isCancelled) cancel()
  const stuck = () => begun.cancel('it waits for something that can never come')
  process.once('beforeExit', stuck)
  engine.listen(({ type }) => {
    if (type === 'store-degraded') void giveUpAfter(engine)
  })
  const state = await begun.future.wait()
  if (state?.type === 'CRASHED') await refuse(asError(state.error)) // perhaps the store could not be told
  await engine.close({ timeoutMs: 0 })
}

async function giveUpAfter(engine: Engine): Promise<void> {
  await sleep(storeTimeoutMs)
  if (engine.degraded) await engine.close({ timeoutMs: 0 }).catch(() => {})
}

/** What the file keeps open (a server, a pool of connections) does not keep the process. */
function leave(code: number): void {
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)))
}
