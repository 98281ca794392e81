import { MintakaError } from '../core/errors.js'
import type { FlowRun } from '../core/run.js'
import { isTerminal, type State, states } from '../core/state.js'
import { isNotPersisted, type Store, type StoredRun } from '../core/store.js'
import type { FlowDefinition } from './definitions.js'
import { defaultPolicy, type ReusePolicy } from './done-runs.js'
import type { Engine } from './engine.js'
import type { FlowLife } from './run-flow.js'
import { WatchedLife } from './watched-life.js'

/** What is asked for when a flow run is to be continued. */
export interface ResumeRequest {
  readonly flowRunId: string
  /** The flow; without one it is found by the file and the name that stand in the store. */
  readonly flow: FlowDefinition | undefined
  readonly find: (file: string | undefined, name: string) => FlowDefinition | undefined
  readonly policy?: Partial<ReusePolicy> | undefined
  readonly runName?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * A flow run that continues another one, from the moment when it is asked for: the store has to be asked first what that
 * one is. If it cannot be continued, this ends with the reason, and there is no run.
 */
export class Resumption extends WatchedLife {
  readonly #engine: Engine
  readonly #request: ResumeRequest
  readonly #placeholder: FlowRun
  #life: FlowLife | undefined
  #cancelled: { readonly reason: string | undefined } | undefined
  /** Resolves when it has ended, or there is a flow run that the engine knows. */
  readonly prepared: Promise<void>

  constructor(engine: Engine, request: ResumeRequest) {
    super()
    this.#engine = engine
    this.#request = request
    const now = engine.now()
    this.#placeholder = {
      kind: 'flow-run',
      id: engine.surroundings.newId(),
      name: request.runName ?? engine.surroundings.newName(),
      flowName: request.flow?.name ?? '',
      executor: request.flow?.executor.name ?? '',
      created: now,
      tags: [],
      state: states.pending(now),
      totalRunTimeMs: 0,
      runCount: 0,
      continues: request.flowRunId,
    }
    this.prepared = this.#prepare().catch(error => this.#refuse(error))
  }

  get record(): FlowRun {
    return this.#life?.record ?? this.#placeholder
  }

  override get state(): State {
    return this.#life?.state ?? super.state
  }

  isIn(): boolean {
    return false
  }

  cancel(reason?: string): void {
    this.#cancelled = { reason }
    this.#life?.cancel(reason)
  }

  override watch(): void {
    super.watch()
    this.#life?.watch()
  }

  async #prepare(): Promise<void> {
    const engine = this.#engine
    const { flowRunId, policy, signal } = this.#request
    const { id, name } = this.#placeholder
    await engine.ready
    const first = await endedRun(engine.store, flowRunId)
    const flow = this.#flowOf(first.run)
    const parameters = parametersOf(first)
    const { run, giveBack } = await newestOf(engine.store, first, id)
    const definition: FlowDefinition = {
      ...flow,
      runName: name,
      signal: signal ?? flow.signal,
      idempotencyKey: undefined,
      occasion: occasionOf(first.run),
    }
    let life: FlowLife
    try {
      life = engine.continue(definition, parameters, id, { id: run.id, policy: { ...defaultPolicy, ...policy } })
    } catch (error) {
      await giveBack()
      throw error
    }
    this.#life = life
    if (this.isWatched) life.watch()
    if (this.#cancelled) life.cancel(this.#cancelled.reason)
    life.whenOver(() => {
      if (life.settled) this.settle(life.settled)
      if (life.settled?.type === 'CRASHED') void giveBackUnlessRecorded(engine.store, id, giveBack)
    })
  }

  #flowOf({ flowName, file }: Readonly<FlowRun>): FlowDefinition {
    const { flow, find } = this.#request
    if (flow && flow.name === flowName) return flow
    if (flow)
      throw notResumable(
        `It is a run of flow '${flowName}', and the flow that was given is '${flow.name}'`,
        this.#request,
      )
    const found = find(file, flowName)
    if (found) return found
    const where = file === undefined ? 'no file' : file
    const fix = `Import ${where === 'no file' ? 'what defines it' : where} first, or give the flow: engine.resume(id, flow).`
    throw notResumable(`Its flow '${flowName}' of ${where} is not defined in this process. ${fix}`, this.#request)
  }

  #refuse(error: unknown): void {
    if (this.#life) return
    this.settleWatched(states.failed(this.#engine.now(), error), true)
  }
}

/** What continues a run of a deployment is one too. It begins now, whenever that one was to begin. */
function occasionOf({ deployment }: Readonly<FlowRun>): FlowDefinition['occasion'] {
  return deployment === undefined ? undefined : { deployment }
}

/** The flow run of that id, which has ended: if its process has died, now is the time to say so. */
async function endedRun(store: Store, flowRunId: string): Promise<StoredRun<FlowRun>> {
  let stored = await store.getFlowRun(flowRunId)
  if (stored && !isTerminal(stored.run.state)) {
    await store.recover?.()
    stored = await store.getFlowRun(flowRunId)
  }
  if (!stored) throw new MintakaError('NOT_FOUND', `There is no flow run '${flowRunId}' in the store.`)
  const { state, parentFlowRunId } = stored.run
  if (parentFlowRunId !== undefined)
    throw notResumable(`It is a part of flow run '${parentFlowRunId}': resume that one`, { flowRunId })
  if (!isTerminal(state)) {
    const fix = `If that was on another machine and has died, 'mintaka store recover --owner ${stored.owner} --force' ends its runs`
    throw notResumable(`It has not ended: it is ${state.name}, and its process may be alive. ${fix}`, { flowRunId })
  }
  if (state.type === 'COMPLETED') throw notResumable('It has completed: there is nothing to resume', { flowRunId })
  return stored
}

function parametersOf({ run, parameters }: StoredRun<FlowRun>): readonly unknown[] {
  if (isNotPersisted(parameters))
    throw notResumable(`What it was called with was not kept (${parameters.notPersisted})`, { flowRunId: run.id })
  if (parameters !== undefined) return [parameters]
  if (run.parameters === undefined || run.parameters === 'undefined') return []
  const why = `It was called with ${run.parameters}, which was not kept`
  throw notResumable(`${why}. Call the flow again, with what it needs`, { flowRunId: run.id })
}

/** The run to be continued, which nobody else may continue from now on. */
interface Newest {
  readonly run: Readonly<FlowRun>
  readonly giveBack: () => Promise<void>
}

/** A run that was lost before the store had it is none: another one may take its place. */
async function giveBackUnlessRecorded(store: Store, id: string, giveBack: () => Promise<void>): Promise<void> {
  try {
    if (!(await store.getFlowRun(id))) await giveBack()
  } catch {
    // A store that cannot be asked is not told either: the claim is orphaned when this process ends.
  }
}

/**
 * A run is continued once: by `newId`, if nobody was earlier. What an earlier continuation has done would be done again
 * by a second one; so that one is continued, which is the same run further on.
 */
async function newestOf(store: Store, first: StoredRun<FlowRun>, newId: string): Promise<Newest> {
  let { run } = first
  let after: number | undefined
  for (;;) {
    const key = `resume:${run.id}`
    const claim = await store.claim(key, newId, after === undefined ? undefined : { after })
    if (claim.isNew) return { run, giveBack: () => store.unclaim(key, claim.generation) }
    after = undefined
    const other = await store.getFlowRun(claim.value)
    if (!other && claim.isOrphaned) after = claim.generation
    else if (!other) throw notResumable('It is being continued at this moment', { flowRunId: run.id })
    else run = (await endedContinuation(store, other.run)).run
  }
}

async function endedContinuation(store: Store, { id, continues = '' }: Readonly<FlowRun>): Promise<StoredRun<FlowRun>> {
  try {
    return await endedRun(store, id)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw notResumable(
      `It was continued by flow run '${id}'. ${why.replace(/\.$/, '')}`,
      { flowRunId: continues },
      cause,
    )
  }
}

function notResumable(why: string, { flowRunId }: { readonly flowRunId: string }, cause?: unknown): MintakaError {
  const sentence = `Flow run '${flowRunId}' cannot be resumed. ${why}${why.endsWith('.') ? '' : '.'}`
  return new MintakaError('NOT_RESUMABLE', sentence, { run: flowRunId, ...(cause !== undefined && { cause }) })
}
