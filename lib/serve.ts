import { workerDoor } from './core/door.js'
import { MintakaError } from './core/errors.js'
import { onAbort } from './core/on-abort.js'
import { check, checkOptions } from './core/options.js'
import type { Engine } from './create-engine.js'
import { defaultEngine } from './default-engine.js'
import { Agent } from './deployments/agent.js'
import type { Deployment } from './deployments/deployment.js'
import { InProcessLauncher } from './deployments/in-process.js'
import { deploymentsOf } from './deployments/of-engine.js'
import { loadInProgress } from './flow.js'
import { engineBehind } from './public-engines.js'

/** Options of {@link serve}. */
export interface ServeOptions {
  /** Where the runs are, and run. Default: the default engine. It is not closed with the service. */
  readonly engine?: Engine | undefined
  /** How many runs go on at once. Default 10. */
  readonly concurrency?: number | undefined
  /** Stops the service when it fires. */
  readonly signal?: AbortSignal | undefined
}

/** Deployments that run in this process. */
export interface Service extends AsyncDisposable {
  /**
   * Begins no more runs, and waits for those that go on; after `timeoutMs` they are cancelled. The deployments stay in
   * the store, and what falls due is made up for by whoever serves them next, as their `catchUp` says.
   */
  stop(options?: { readonly timeoutMs?: number | undefined }): Promise<void>
  /** Resolves when the service has stopped. */
  readonly ended: Promise<void>
}

/** How many runs of deployments one process carries out at once, unless it is told. */
export const defaultConcurrency = 10

/**
 * Enters deployments in the store and runs them in this process when they are due, until it is stopped. Several processes
 * may serve the same ones: each run happens once. It keeps the process alive.
 *
 * ```ts
 * await using service = await serve([daily, hourly], { signal })
 * await service.ended
 * ```
 */
export async function serve(deployments: readonly Deployment[], options: ServeOptions = {}): Promise<Service> {
  const door = workerDoor()
  if (door) return door.serve() as Promise<Service>
  checkServe(deployments, options)
  if (loadInProgress()) return inertService()
  const engine = options.engine ? engineBehind(options.engine) : defaultEngine()
  if (!engine)
    throw new MintakaError('INVALID_OPTION', "The option 'engine' of serve() should be what createEngine() gave.")
  await engine.ready
  if (engine.isClosed) throw new MintakaError('ENGINE_CLOSED', 'serve() was called on an engine that is closed.')
  const records = deploymentsOf(engine)
  for (const deployment of deployments) await records.create(deployment)
  const launcher = new InProcessLauncher(engine, deployments)
  const agent = new Agent({ engine, launcher, concurrency: options.concurrency ?? defaultConcurrency })
  return serviceOf(agent, engine.surroundings.timer, options.signal)
}

function serviceOf(
  agent: Agent,
  timer: (ms: number, callback: () => void) => () => void,
  signal: AbortSignal | undefined,
): Service {
  const stop: Service['stop'] = async ({ timeoutMs } = {}) => {
    agent.stop()
    const stopTimer = timeoutMs === undefined ? () => {} : timer(timeoutMs, () => agent.force('cancel'))
    await agent.ended.finally(stopTimer)
  }
  if (signal?.aborted) agent.stop()
  else if (signal) void agent.ended.finally(onAbort(signal, () => agent.stop()))
  return { stop, ended: agent.ended, [Symbol.asyncDispose]: () => stop() }
}

/** While a file is loaded for its flows and deployments only: a service that does nothing and never ends. */
function inertService(): Service {
  loadInProgress()?.served?.()
  const stop = async () => {}
  return { stop, ended: new Promise(() => {}), [Symbol.asyncDispose]: stop }
}

function checkServe(deployments: readonly Deployment[], options: ServeOptions): void {
  if (!Array.isArray(deployments) || !deployments.every(each => typeof each?.id === 'string' && 'flow' in each))
    throw new MintakaError('INVALID_ARGUMENT', 'serve([…]) takes a list of what deployment(…) gave.')
  const twice = deployments.find(({ id }, at) => deployments.findIndex(other => other.id === id) !== at)
  if (twice) throw new MintakaError('INVALID_ARGUMENT', `serve([…]) was given deployment '${twice.id}' twice.`)
  checkOptions('serve', options, { engine: check.object, concurrency: check.positive, signal: check.signal })
}
