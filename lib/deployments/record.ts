import type { Codec } from '../core/store.js'
import { codec } from '../values/json.js'
import type { CatchUpPolicy, OverlapPolicy } from './decide.js'
import type { Limits } from './deployment.js'
import type { Schedule } from './schedule.js'

/** A deployment as the store has it. Times are epoch milliseconds. */
export interface DeploymentRecord {
  /** `flow-name/deployment-name` */
  readonly id: string
  /** The second part of its id. */
  readonly name: string
  /** The first part of its id: the flow that it runs. */
  readonly flowName: string
  /** The file that is loaded to run it. */
  readonly file?: string | undefined
  /** For people. */
  readonly description?: string | undefined
  /** What its runs are called with. */
  readonly parameters?: unknown
  /** When it runs by itself. */
  readonly schedule?: Schedule | undefined
  /** Its schedule rests. */
  readonly paused: boolean
  /** What becomes of an occurrence while another run goes on. */
  readonly overlap: OverlapPolicy
  /** What becomes of occurrences that nobody was there to start. */
  readonly catchUp: CatchUpPolicy
  /** Its runs have them, besides those of the flow. */
  readonly tags: readonly string[]
  /** What a run may use up. */
  readonly limits?: Limits | undefined
  /** When it was first created. */
  readonly created: number
  /** When it was last created, paused or resumed. */
  readonly updated: number
  /** Occurrences after this time count: when it was created, resumed, or got another schedule. */
  readonly scheduledFrom: number
}

/** A run that is to begin, or has begun and is looked after by whoever took it. Times are epoch milliseconds. */
export interface ScheduledRun {
  /** The id of the flow run that comes of it. */
  readonly id: string
  /** The name of that flow run: two words. */
  readonly name: string
  /** The id of its deployment. */
  readonly deployment: string
  /** The flow that is run. */
  readonly flowName: string
  /** When it is to begin. */
  readonly scheduledTime: number
  /** That of the flow run: whoever runs it, it runs once. */
  readonly idempotencyKey: string
  /** What the flow is called with. */
  readonly parameters?: unknown
  /** Those of the deployment. */
  readonly tags: readonly string[]
  /** When it was decided on. */
  readonly created: number
  /** It waits until no other run of the deployment goes on. */
  readonly queued?: true | undefined
  /** The agent that carries it out. */
  readonly takenBy?: Taker | undefined
}

/** An agent that has taken a run. */
export interface Taker {
  /** Id of the agent. */
  readonly agent: string
  /** Its process, for people. */
  readonly pid: number
  /** The machine of that process. */
  readonly host: string
}

/** How far the schedule of a deployment has been decided. */
export interface Cursor {
  /** Every occurrence up to this time, and on it, has been decided. */
  readonly decidedUntil: number
  /** The `scheduledFrom` of the deployment that it was decided of: with another one, the schedule begins anew. */
  readonly since?: number | undefined
}

/** The kinds of documents that deployments are kept in. */
export const kinds = {
  deployments: 'deployments',
  scheduled: 'scheduled',
  cursors: 'cursors',
  agents: 'agents',
} as const

/** A record as a document: parameters may hold what JSON lacks. Throws NOT_SENDABLE. */
export function toDocument<T extends { readonly parameters?: unknown }>(record: T): unknown {
  if (record.parameters === undefined) return record
  return { ...record, parameters: JSON.parse(codec.encode(record.parameters)) }
}

/** `undefined`: the document is something else. */
export function deploymentFrom(document: unknown): DeploymentRecord | undefined {
  if (!has(document, ['id', 'name', 'flowName', 'overlap', 'catchUp'], ['created', 'updated', 'scheduledFrom']))
    return undefined
  return withParameters(document as DeploymentRecord, codec)
}

/** `undefined`: the document is something else. */
export function scheduledFrom(document: unknown): ScheduledRun | undefined {
  if (!has(document, ['id', 'name', 'deployment', 'flowName', 'idempotencyKey'], ['scheduledTime', 'created']))
    return undefined
  return withParameters(document as ScheduledRun, codec)
}

export function cursorFrom(document: unknown): Cursor | undefined {
  return has(document, [], ['decidedUntil']) ? (document as Cursor) : undefined
}

function withParameters<T extends { readonly parameters?: unknown; readonly tags: unknown }>(
  record: T,
  { decode }: Codec,
): T | undefined {
  if (!Array.isArray(record.tags)) return undefined
  if (record.parameters === undefined) return record
  try {
    return { ...record, parameters: decode(JSON.stringify(record.parameters)) }
  } catch {
    return undefined
  }
}

function has(document: unknown, texts: readonly string[], numbers: readonly string[]): document is object {
  if (typeof document !== 'object' || document === null) return false
  const fields = document as Readonly<Record<string, unknown>>
  return (
    texts.every(field => typeof fields[field] === 'string') && numbers.every(field => typeof fields[field] === 'number')
  )
}
