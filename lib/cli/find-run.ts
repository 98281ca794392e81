import { MintakaError } from '../core/errors.js'
import type { FlowRun } from '../core/run.js'
import type { Store, StoredRun } from '../core/store.js'
import { clean } from './print.js'

const listed = 10

/** The flow run of that id, of that name, or whose id begins so. Throws NOT_FOUND and AMBIGUOUS_ID. */
export async function findFlowRun(store: Store, word: string): Promise<StoredRun<FlowRun>> {
  const exact = await store.getFlowRun(word)
  if (exact) return exact
  const found = await store.listFlowRuns({ match: word, limit: listed + 1 })
  const [first, second] = found
  if (first && !second) return first
  if (!first) {
    const fix = 'mintaka flow-run ls lists what there is.'
    throw new MintakaError('NOT_FOUND', `There is no flow run '${word}' in the store. ${fix}`)
  }
  const lines = found
    .slice(0, listed)
    .map(({ run }) => `  ${run.id}  ${clean(run.name)} of flow ${clean(run.flowName)}`)
  if (found.length > listed) lines.push('  …')
  throw new MintakaError('AMBIGUOUS_ID', `'${word}' means several flow runs:\n${lines.join('\n')}`)
}
