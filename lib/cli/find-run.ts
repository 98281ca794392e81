import { MintakaError } from '../core/errors.js'
import { didYouMean } from '../core/nearest.js'
import type { FlowRun } from '../core/run.js'
import type { Store, StoredRun } from '../core/store.js'
import { ago, clean, Failure } from './print.js'
import { type FlowRuns, isWaiting, withScheduled } from './scheduled-runs.js'

const listed = 10

/** The flow run of that id, of that name, or whose id begins so. Throws NOT_FOUND and AMBIGUOUS_ID. */
export async function findFlowRun(store: FlowRuns, word: string): Promise<StoredRun<FlowRun>> {
  const exact = await store.getFlowRun(word)
  if (exact) return exact
  const found = await store.listFlowRuns({ match: word, limit: listed + 1 })
  const [first, second] = found
  if (first && !second) return first
  if (!first) throw await notFound(store, word)
  const lines = found
    .slice(0, listed)
    .map(({ run }) => `  ${run.id}  ${clean(run.name)} of flow ${clean(run.flowName)}`)
  if (found.length > listed) lines.push('  …')
  throw new MintakaError('AMBIGUOUS_ID', `'${word}' means several flow runs:\n${lines.join('\n')}`)
}

/** The same, of a flow run that there is: one that is scheduled and has not begun is a Failure. */
export async function findBegunFlowRun(store: Store, word: string): Promise<StoredRun<FlowRun>> {
  const found = await findFlowRun(withScheduled(store), word)
  const { name, state } = found.run
  if (!isWaiting(found) || state.type !== 'SCHEDULED') return found
  const when = `${state.scheduledTime > Date.now() ? 'is' : 'was'} to begin ${ago(state.scheduledTime)}`
  throw new Failure(`Flow run '${clean(name)}' has not begun: it is ${state.name}, and ${when}.`)
}

/** How many of the newest runs are looked at for what somebody may have meant. */
const lookedAt = 1000

async function notFound(store: FlowRuns, word: string): Promise<MintakaError> {
  const newest = (await store.listFlowRuns({ limit: lookedAt })).map(({ run }) => run)
  const fix = newest.some(({ flowName }) => flowName === word)
    ? `'${word}' is a flow: mintaka flow-run ls --flow-name ${word} lists its runs.`
    : 'mintaka flow-run ls lists what there is.'
  const near = didYouMean(
    word,
    newest.flatMap(({ id, name }) => [name, id]),
  )
  return new MintakaError('NOT_FOUND', `There is no flow run '${word}' in the store.${near} ${fix}`)
}
