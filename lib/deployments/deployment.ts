import { workerDoor } from '../core/door.js'
import { MintakaError } from '../core/errors.js'
import { check, checkOptions } from '../core/options.js'
import { definitionOf, type Flow, isFlow, loadInProgress } from '../flow.js'
import { callSite } from '../shipping/locate.js'
import type { CatchUpPolicy, OverlapPolicy } from './decide.js'
import { occurrencesOf, type Schedule } from './schedule.js'

/** What a run of a deployment may use up. */
export interface Limits {
  /** How long it may take. Then it is FAILED, TimedOut; an agent ends the process of one that does not stop. */
  readonly timeoutMs?: number | undefined
  /** How large its process may get: the heap of its main thread. Only agents obey it, who give each run a process. */
  readonly memoryBytes?: number | undefined
}

/** Options of {@link deployment}. */
export interface DeploymentOptions<P = unknown> {
  /** What its runs are called with. They have to fit the flow's schema, if it has one. */
  readonly parameters?: P | undefined
  /** When it runs by itself. Without one it runs when it is asked to. */
  readonly schedule?: Schedule | undefined
  /** Its runs have them, besides those of the flow. */
  readonly tags?: readonly string[] | undefined
  /** Its schedule rests until it is resumed. Default: as it was before, if it is there already; else `false`. */
  readonly paused?: boolean | undefined
  /**
   * What becomes of an occurrence that is due while another run of the deployment goes on: it is left out (`skip`, the
   * default), it waits (`queue`), or both run (`allow`).
   */
  readonly overlap?: OverlapPolicy | undefined
  /** Which of the occurrences are made up for that nobody was there to start: `none`, the `last` (default), or `all`. */
  readonly catchUp?: CatchUpPolicy | undefined
  /** For people. */
  readonly description?: string | undefined
  /** What a run may use up. Default: as much as it wants. */
  readonly limits?: Limits | undefined
}

/** A flow that is to run under a name of its own: with parameters, on a schedule. Plain and frozen. */
export interface Deployment {
  /** `flow-name/deployment-name` */
  readonly id: string
  /** The second part of its id. */
  readonly name: string
  /** The flow that it runs. */
  readonly flow: Flow<unknown[], unknown>
  /** The file that calls {@link deployment}: agents load it to run the flow. */
  readonly file: string | undefined
  /** As its options say. */
  readonly parameters: unknown
  /** As its options say. */
  readonly schedule: Schedule | undefined
  /** As its options say. */
  readonly tags: readonly string[]
  /** As its options say: `undefined` leaves it as it is in the store. */
  readonly paused: boolean | undefined
  /** As its options say, or the default. */
  readonly overlap: OverlapPolicy
  /** As its options say, or the default. */
  readonly catchUp: CatchUpPolicy
  /** As its options say. */
  readonly description: string | undefined
  /** As its options say. */
  readonly limits: Limits | undefined
}

/**
 * Defines a deployment of a flow. Nothing runs by that: `mintaka deployment create FILE` enters it in the store, from
 * where agents take its runs; `serve` runs it in this process. Of several definitions with one flow name and one
 * name, the later one holds. Throws INVALID_ARGUMENT and INVALID_OPTION.
 *
 * ```ts
 * export const daily = deployment('daily', report, {
 *   parameters: { year: 2026 },
 *   schedule: { cron: '0 7 * * *', timezone: 'Europe/Zurich' },
 * })
 * ```
 */
export function deployment<A extends unknown[], R>(
  name: string,
  flow: Flow<A, R>,
  options?: DeploymentOptions<A[0]>,
): Deployment
export function deployment(name: string, flow: Flow<never, unknown>, options: DeploymentOptions = {}): Deployment {
  const door = workerDoor()
  if (door) return door.deployment() as Deployment
  const made = makeDeployment(name, flow, options, callSite(deployment).file)
  loadInProgress()?.deployed?.(made)
  return made
}

/** What {@link deployment} does, of a definition that is in `file`. */
export function makeDeployment(
  name: string,
  flow: unknown,
  options: DeploymentOptions,
  file: string | undefined,
): Deployment {
  if (typeof name !== 'string' || !isName(name)) {
    const got = typeof name === 'string' ? `'${name}'` : String(name)
    const rule = 'A deployment begins with its name, which has no slash and is not empty'
    throw new MintakaError('INVALID_ARGUMENT', `${rule}: deployment('daily', flow, …), not ${got}.`)
  }
  const found = definitionOf(flow)
  if (!isFlow(flow) || !found) {
    const rule = `deployment('${name}', …) takes what flow(…) gave`
    throw new MintakaError('INVALID_ARGUMENT', `${rule}: deployment('${name}', flow, options).`)
  }
  const whose = `deployment '${name}'`
  checkOptions(whose, options, deploymentChecks)
  checkOptions(`limits of ${whose}`, options.limits, limitChecks)
  if (options.schedule !== undefined) occurrencesOf(options.schedule)
  return Object.freeze({
    id: `${flow.name}/${name}`,
    name,
    flow,
    file: file ?? found.definition.file,
    parameters: options.parameters,
    schedule: options.schedule,
    tags: options.tags ?? [],
    paused: options.paused,
    overlap: options.overlap ?? 'skip',
    catchUp: options.catchUp ?? 'last',
    description: options.description,
    limits: options.limits,
  })
}

function isName(name: string): boolean {
  return name.trim() !== '' && !name.includes('/')
}

/** The options that there are, with what each should be. */
export const deploymentChecks = {
  parameters: () => undefined,
  schedule: check.object,
  tags: check.strings,
  paused: check.boolean,
  overlap: check.oneOf('allow', 'skip', 'queue'),
  catchUp: check.oneOf('none', 'last', 'all'),
  description: check.string,
  limits: check.object,
}

const leastMemoryBytes = 32 * 1024 * 1024

const limitChecks = {
  timeoutMs: (value: unknown) =>
    typeof value === 'number' && value > 0 ? undefined : 'a number of milliseconds above 0',
  memoryBytes: (value: unknown) =>
    typeof value === 'number' && value >= leastMemoryBytes && Number.isFinite(value)
      ? undefined
      : `a number of bytes from ${leastMemoryBytes} (32 MiB) on`,
}
