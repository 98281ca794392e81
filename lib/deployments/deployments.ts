import { setTimeout as sleep } from 'node:timers/promises'
import type { Documents } from '../core/documents.js'
import { MintakaError } from '../core/errors.js'
import { didYouMean } from '../core/nearest.js'
import { check, checkOptions } from '../core/options.js'
import type { Store } from '../core/store.js'
import { isPlainObject } from '../core/traverse.js'
import { validated } from '../engine/flow-parameters.js'
import { idFromKey } from '../engine/id-from-key.js'
import { definitionOf } from '../flow.js'
import type { Deployment } from './deployment.js'
import { type DeploymentRecord, deploymentFrom, kinds, type ScheduledRun, scheduledFrom, toDocument } from './record.js'

/** What deployments are kept in, and what they ask the time and names of. */
export interface DeploymentsParts {
  readonly documents: Documents
  /** Epoch milliseconds. */
  readonly now: () => number
  readonly newId: () => string
  /** Two words, for people. */
  readonly newName: () => string
}

/** How a run of a deployment is asked for. */
export interface RunRequest {
  /** In the place of the deployment's; where both are plain objects, field by field. */
  readonly parameters?: unknown
  /** When it is to begin, in epoch milliseconds. Default: now. */
  readonly at?: number | undefined
  /** Name of the flow run. Default: two words. */
  readonly name?: string | undefined
}

/** The deployments of a store, and their runs that have not ended. What is not there rejects with NOT_FOUND. */
export class Deployments {
  readonly #parts: DeploymentsParts

  constructor(parts: DeploymentsParts) {
    this.#parts = parts
  }

  /**
   * Enters a definition, or replaces the one of the same id: `created` stays, and so does the schedule's place in time,
   * unless it is another schedule; one that is paused stays so unless the definition says otherwise. `file`: what is loaded to run it, if that is not the file of the definition. Rejects
   * with INVALID_PARAMETERS if its parameters do not fit the schema of its flow, and NOT_SENDABLE if they cannot be kept.
   */
  async create(deployment: Deployment, { file }: { readonly file?: string } = {}): Promise<DeploymentRecord> {
    await checkParameters(deployment, deployment.parameters)
    const before = await this.#find(deployment.id)
    const { flow, ...definition } = deployment
    const now = this.#parts.now()
    const paused = deployment.paused ?? before?.paused ?? false
    const goesOn = before !== undefined && before.paused === paused && isSame(before.schedule, deployment.schedule)
    const record: DeploymentRecord = {
      ...definition,
      paused,
      flowName: flow.name,
      file: file ?? deployment.file,
      created: before?.created ?? now,
      updated: now,
      scheduledFrom: goesOn ? before.scheduledFrom : now,
    }
    return this.#put(record)
  }

  /** By id. */
  async list({ flowName }: { readonly flowName?: readonly string[] | undefined } = {}): Promise<DeploymentRecord[]> {
    const documents = await this.#parts.documents.list(kinds.deployments)
    const all = documents.map(({ value }) => deploymentFrom(value)).filter(record => record !== undefined)
    return flowName?.length ? all.filter(record => flowName.includes(record.flowName)) : all
  }

  /** By its id. */
  async get(id: string): Promise<DeploymentRecord> {
    const found = await this.#find(id)
    if (found) return found
    throw await this.#notFound(id)
  }

  /** Its schedule rests. What was due before still runs, and so does what {@link run} asks for. */
  async pause(id: string): Promise<DeploymentRecord> {
    const record = await this.get(id)
    return record.paused ? record : this.#put({ ...record, paused: true, updated: this.#parts.now() })
  }

  /** Its schedule goes on, from now: what would have been due meanwhile is not made up for. */
  async resume(id: string): Promise<DeploymentRecord> {
    const record = await this.get(id)
    const now = this.#parts.now()
    return record.paused ? this.#put({ ...record, paused: false, updated: now, scheduledFrom: now }) : record
  }

  /** Removes it, with its runs that nobody has begun. Those that have begun go on. */
  async delete(id: string): Promise<void> {
    await this.get(id)
    // An agent that is just deciding would enter more of it. One that is paused in the middle is not waited for.
    for (let attempt = 0; attempt < 100; attempt += 1) {
      if (await this.#parts.documents.exclusively('schedule', () => this.#remove(id))) return
      await sleep(20)
    }
    await this.#remove(id)
  }

  async #remove(id: string): Promise<void> {
    const { documents } = this.#parts
    await documents.remove(kinds.deployments, id)
    await documents.remove(kinds.cursors, id)
    const waiting = (await this.scheduled({ deployment: id })).filter(({ takenBy }) => takenBy === undefined)
    for (const run of waiting) await documents.remove(kinds.scheduled, run.id)
  }

  /** Schedules a run of it: an agent begins it when its time has come. */
  async run(id: string, request: RunRequest = {}): Promise<ScheduledRun> {
    const run = runOf(await this.get(id), request, this.#parts)
    await this.#parts.documents.create(kinds.scheduled, run.id, toDocument(run))
    return run
  }

  /** The runs that have not ended: those that wait for their time or an agent, and those that an agent has taken. The earliest first. */
  async scheduled({ deployment }: { readonly deployment?: string | undefined } = {}): Promise<ScheduledRun[]> {
    const documents = await this.#parts.documents.list(kinds.scheduled)
    const all = documents.map(({ value }) => scheduledFrom(value)).filter(run => run !== undefined)
    const wanted = deployment === undefined ? all : all.filter(run => run.deployment === deployment)
    return wanted.sort(byTime)
  }

  async #put(record: DeploymentRecord): Promise<DeploymentRecord> {
    await this.#parts.documents.put(kinds.deployments, record.id, toDocument(record))
    return record
  }

  async #find(id: string): Promise<DeploymentRecord | undefined> {
    return deploymentFrom(await this.#parts.documents.get(kinds.deployments, id))
  }

  async #notFound(id: string): Promise<MintakaError> {
    const ids = (await this.list()).map(record => record.id)
    const ofName = ids.filter(each => each.endsWith(`/${id}`))
    const form = id.includes('/') ? '' : ' Its id has the form flow-name/deployment-name.'
    const meant =
      ofName.length > 0 ? ` Did you mean ${ofName.map(each => `'${each}'`).join(' or ')}?` : didYouMean(id, ids)
    return new MintakaError('NOT_FOUND', `There is no deployment '${id}'.${form}${meant}`, { deployment: id })
  }
}

/** The documents of a store. Throws INVALID_OPTION if it keeps none. */
export function documentsOf({ documents, name }: Store): Documents {
  if (documents) return documents
  throw new MintakaError('INVALID_OPTION', `Deployments need a store that keeps documents; '${name}' has none.`)
}

/** A run of a deployment, as it is scheduled; nothing is written. Throws INVALID_OPTION. */
export function runOf(
  { id, flowName, parameters, tags }: DeploymentRecord,
  request: RunRequest,
  parts: Pick<DeploymentsParts, 'now' | 'newId' | 'newName'>,
): ScheduledRun {
  checkOptions(`deployments.run('${id}')`, request, requestChecks)
  const now = parts.now()
  const idempotencyKey = `${id} ${parts.newId()}`
  return {
    id: idFromKey([flowName, idempotencyKey]),
    name: request.name ?? parts.newName(),
    deployment: id,
    flowName,
    scheduledTime: request.at ?? now,
    idempotencyKey,
    parameters: 'parameters' in request ? merged(parameters, request.parameters) : parameters,
    tags,
    created: now,
  }
}

/** Whether parameters fit the schema of a deployment's flow. Rejects with INVALID_PARAMETERS. */
export async function checkParameters({ flow }: Pick<Deployment, 'flow'>, parameters: unknown): Promise<void> {
  const found = definitionOf(flow)
  if (found) await validated(found.definition, parameters)
}

/** The earliest first; of those of one time, the one that was made first. */
export function byTime(a: ScheduledRun, b: ScheduledRun): number {
  return a.scheduledTime - b.scheduledTime || a.created - b.created || (a.id < b.id ? -1 : 1)
}

/** The parameters of a run: what is given, over what the deployment has. */
export function merged(own: unknown, given: unknown): unknown {
  return isPlainObject(own) && isPlainObject(given) ? { ...own, ...given } : given
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

const requestChecks = {
  parameters: () => undefined,
  at: (value: unknown) =>
    typeof value === 'number' && Number.isFinite(value) ? undefined : 'a time in epoch milliseconds',
  name: check.string,
}
