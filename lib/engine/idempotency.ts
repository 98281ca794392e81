import type { FlowRun } from '../core/run.js'
import type { Claim, Store, StoredRun } from '../core/store.js'

/** How often who waits for another's run looks after it, and how often in between whether its process has died. */
export const followEveryMs = 100
const recoverEvery = 10

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

/** Who continues a run that has ended: `newId`, if nobody else does. */
export async function continuationOf(
  store: Store,
  flowRunId: string,
  newId: string,
  pause: () => Promise<boolean>,
): Promise<string> {
  let after: number | undefined
  for (;;) {
    const claim: Claim = await store.claim(`resume:${flowRunId}`, newId, after === undefined ? undefined : { after })
    if (claim.isNew || claim.value === newId) return newId
    if (await store.getFlowRun(claim.value)) return claim.value
    after = claim.isOrphaned ? claim.generation : undefined
    if (!claim.isOrphaned && !(await pause())) return newId
  }
}

/** Looks after a run that somebody else carries out, time after time. */
export class Follower {
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
