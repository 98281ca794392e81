/** One run per idempotency key, wherever it runs: who carries it out, and how the others see its end. */
import type { MintakaError } from '../core/errors.js'
import type { FlowRun } from '../core/run.js'
import { isSettled, type SettledState } from '../core/state.js'
import type { Claim, Store, StoredRun } from '../core/store.js'
import { idFromKey } from './id-from-key.js'

/** How often who waits for another's run looks after it, and how often in between whether its process has died. */
export const followEveryMs = 100
const recoverEvery = 10

/** A flow run that waits for what others do. */
export interface Waiting {
  /** Waits for a moment; `false`: it has ended, and nobody waits any more. */
  pause(): Promise<boolean>
  /** Why it was asked to stop, if it was. */
  interrupted(): MintakaError | undefined
}

/**
 * The id of the one run of a flow under an idempotency key: known before anything is asked. In a flow run that was retried
 * or continues another one it is the next under the key, if `previous` was called before and did not complete.
 */
export function idUnderKey(flowName: string, key: string, hasFailed: (id: string) => boolean) {
  let id = idFromKey([flowName, key])
  let previous: string | undefined
  for (let times = 1; hasFailed(id); times++) {
    previous = id
    id = idFromKey([flowName, key, times])
  }
  return { id, previous }
}

/** What stands behind an idempotency key: nothing yet, and it is ours; or somebody's run. */
export type Holder = { readonly type: 'ours'; readonly giveBack: () => Promise<void> } | { readonly type: 'other' }

/**
 * Finds out who carries out the one run under an idempotency key. Who claims it first does. If that process died before
 * its run was recorded, one of those who find that out takes the claim over; as long as it lives, they wait. `pause` waits
 * for a moment, and gives false if nobody waits any more.
 */
export async function holderOf(
  store: Store,
  flowRunId: string,
  owner: string,
  pause: () => Promise<boolean>,
): Promise<Holder | undefined> {
  const key = `flow-run:${flowRunId}`
  let after: number | undefined
  for (;;) {
    const claim: Claim = await store.claim(key, owner, after === undefined ? undefined : { after })
    if (claim.isNew) return { type: 'ours', giveBack: () => store.unclaim(key, claim.generation) }
    if (await store.getFlowRun(flowRunId)) return { type: 'other' }
    after = claim.isOrphaned ? claim.generation : undefined
    if (!claim.isOrphaned && !(await pause())) return undefined
  }
}

/**
 * How a run ends that somebody else carries out, or has: who is asked to stop asks that one. `removed`: it is not there any
 * more, so it may be begun. `undefined`: nobody waits any more.
 */
export async function endOf(
  store: Store,
  flowRunId: string,
  waiting: Waiting,
): Promise<SettledState | 'removed' | undefined> {
  const follower = new Follower(store, flowRunId)
  let isAskedToStop = false
  do {
    const other = await follower.look()
    if (!other) return 'removed'
    const why = waiting.interrupted()
    if (why && !isAskedToStop) {
      isAskedToStop = true
      await store.post(other.owner, { type: 'cancel', runId: flowRunId, reason: why.message })
    }
    if (isSettled(other.run.state)) return other.run.state
  } while (await waiting.pause())
  return undefined
}

/**
 * The run whose place the run `newId` takes under their key: `previous`, once that has ended, or one that somebody has
 * continued that with. Who is asked to stop takes the place of whichever was the last that it saw.
 */
export async function predecessorOf(store: Store, previous: string, newId: string, waiting: Waiting): Promise<string> {
  let last = previous
  let follower = new Follower(store, last)
  while (!waiting.interrupted()) {
    const stored = await follower.look()
    if (stored && !isSettled(stored.run.state)) {
      await waiting.pause()
      continue
    }
    if (!stored || stored.run.state.type === 'COMPLETED') return last
    const next = await continuationOf(store, last, newId, waiting)
    if (next === newId || waiting.interrupted()) return last
    last = next
    follower = new Follower(store, last)
  }
  return last
}

/** Who continues a run that has ended: `newId`, if nobody else does. */
async function continuationOf(store: Store, flowRunId: string, newId: string, waiting: Waiting): Promise<string> {
  let after: number | undefined
  for (;;) {
    const claim: Claim = await store.claim(`resume:${flowRunId}`, newId, after === undefined ? undefined : { after })
    if (claim.isNew || claim.value === newId) return newId
    if (await store.getFlowRun(claim.value)) return claim.value
    after = claim.isOrphaned ? claim.generation : undefined
    if (claim.isOrphaned) continue
    await waiting.pause()
    if (waiting.interrupted()) return newId
  }
}

/** Looks after a run that somebody else carries out, time after time. */
class Follower {
  readonly #store: Store
  readonly #flowRunId: string
  #looks = 0

  constructor(store: Store, flowRunId: string) {
    this.#store = store
    this.#flowRunId = flowRunId
  }

  /** How the run stands; if its process has died, that is found out here, some time. `undefined`: it was removed. */
  async look(): Promise<StoredRun<FlowRun> | undefined> {
    this.#looks += 1
    if (this.#looks % recoverEvery === 0) await this.#store.recover?.()
    return this.#store.getFlowRun(this.#flowRunId)
  }
}
