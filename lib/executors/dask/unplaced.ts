import { MintakaError } from '../../core/errors.js'
import type { Logger } from '../../core/logger.js'
import type { DaskClient, WorkerInfo } from '../../dask/client/client.js'
import { nodeResource } from '../../dask/payload.js'
import type { Connection } from './link.js'
import { Resource } from './resource.js'
import type { Submission } from './submission.js'

const firstLookMs = 1_000
const lookEveryMs = 2_000
const repeatEveryMs = 60_000

/**
 * Watches for calls that no worker may run: what they ask for, nobody offers. That is said, with what there is; and where
 * no other worker will ever come, they fail.
 */
export class Unplaced {
  readonly #log: Logger
  #timer: NodeJS.Timeout | undefined
  /** When each wish was last complained about. */
  readonly #said = new Map<string, number>()

  constructor(log: Logger) {
    this.#log = log
  }

  watch(connection: Connection, open: () => Iterable<Submission>): void {
    this.end()
    const look = async () => {
      try {
        await this.#look(connection, open())
      } catch {
        // The connection is gone: others tell.
      }
      if (this.#timer) this.#timer = setTimeout(look, lookEveryMs).unref()
    }
    this.#timer = setTimeout(look, firstLookMs).unref()
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Asks about one of each kind: calls with the same wishes have the same fate. */
  async #look({ client, isWhole }: Connection, open: Iterable<Submission>): Promise<void> {
    const kinds = new Map<string, Submission[]>()
    for (const submission of open) {
      if (submission.hasStarted || submission.place !== 'sent') continue
      const wish = JSON.stringify(submission.sendable?.annotations)
      const others = kinds.get(wish)
      if (others) others.push(submission)
      else kinds.set(wish, [submission])
    }
    if (kinds.size === 0) return
    const wasWhole = isWhole()
    const states = await client.taskStates([...kinds.values()].flatMap(all => all.slice(0, 100).flatMap(keysOf)))
    const isStuck = (submission: Submission) => isUnplaced(submission, states)
    if (![...kinds.values()].some(submissions => submissions.some(isStuck))) return
    const workers = await client.workers()
    const isFinal = wasWhole && isWhole() // else the right worker may be the one that is being started again
    for (const [wish, submissions] of kinds) {
      const stuck = submissions.filter(isStuck)
      if (stuck.length === 0) continue
      const error = unavailable(stuck[0]!, workers, client.address)
      if (!isFinal) this.#complain(wish, stuck, error)
      else fail(stuck, error, client)
    }
  }

  #complain(wish: string, stuck: readonly Submission[], error: MintakaError): void {
    if (Date.now() - (this.#said.get(wish) ?? Number.NEGATIVE_INFINITY) < repeatEveryMs) return
    this.#said.set(wish, Date.now())
    this.#log.warn(`${error.message} It waits for one that does.`, {
      task: stuck[0]?.call.task.name,
      waiting: stuck.length,
    })
  }
}

// Released only, they would stay for what comes after them, and that would wait for ever: it is to be cancelled too.
function fail(stuck: readonly Submission[], error: MintakaError, client: DaskClient): void {
  client.cancel(stuck.map(({ key }) => key))
  for (const submission of stuck) submission.failed(error)
}

function keysOf({ key, sendable }: Submission): string[] {
  return [key, ...(sendable?.upstream.filter(entry => entry instanceof Resource) ?? []).map(({ key }) => key)]
}

/** What a call needs may be without a worker as well: its code, where there is no Node worker at all. */
function isUnplaced({ key, sendable }: Submission, states: Readonly<Record<string, string | null>>): boolean {
  if (states[key] === 'no-worker') return true
  const resources = sendable?.upstream.filter(entry => entry instanceof Resource) ?? []
  return states[key] === 'waiting' && resources.some(({ key }) => states[key] === 'no-worker')
}

function unavailable({ call, sendable }: Submission, workers: readonly WorkerInfo[], address: string): MintakaError {
  const { resources = {}, workers: named } = sendable?.annotations ?? {}
  const wanted = Object.entries(resources).filter(([name]) => name !== nodeResource)
  const takes = wanted.map(([name, amount]) => `${amount} ${name}`)
  const wishes = [
    ...(takes.length > 0 ? [`takes ${takes.join(', ')}`] : []),
    ...(named ? [`may run on ${named.join(', ')} only`] : []),
  ]
  const what = `Task '${call.task.name}' ${wishes.length > 0 ? wishes.join(' and ') : 'needs a Node worker'}`
  const offers = workers.map(worker => `${worker.name ?? worker.address} (${offerOf(worker)})`)
  const there = offers.length > 0 ? `Its workers are ${offers.join('; ')}` : 'It has no workers'
  const text = `${what}, and no worker of the Dask cluster at ${address} can run it. ${there}.`
  return new MintakaError('RESOURCES_UNAVAILABLE', text, {
    task: call.task.name,
    resources: Object.fromEntries(wanted),
  })
}

function offerOf({ resources }: WorkerInfo): string {
  const kind = nodeResource in resources ? 'Node' : 'Python'
  const all = Object.entries(resources).filter(([name]) => name !== nodeResource)
  return [kind, ...all.map(([name, amount]) => `${amount} ${name}`)].join(', ')
}
