import type { StateType } from '../../core/state.js'
import type { Store } from '../../core/store.js'
import { stateWords } from '../state-filter.js'
import { readStore } from '../store.js'
import type { Candidate, Choices } from './complete.js'

/** What arguments and options of verbs may be, by their names, as the store has it. */
export const values: Choices['values'] = async (verb, what, beginning) => {
  const find = finders[what]
  if (find === 'files') return find
  return find?.(verb, beginning)
}

type Find = (verb: string, beginning: string) => Promise<readonly Candidate[]>

const finders: Readonly<Record<string, 'files' | Find>> = {
  'file[:flow]': 'files',
  file: 'files',
  '--file': 'files',
  '--scheduler-file': 'files',
  '--local-directory': 'files',
  '--tls-ca-file': 'files',
  '--tls-cert': 'files',
  '--tls-key': 'files',
  run: flowRuns,
  deployment: deployments,
  '--deployment': deployments,
  '--flow-name': flowNames,
  '--owner': owners,
  '--state': async () => stateWords.map(word => ({ word })),
}

/** Which flow runs a verb has something to do with. */
const statesOf: Readonly<Record<string, readonly StateType[]>> = {
  'flow-run cancel': ['RUNNING', 'PENDING', 'SCHEDULED'],
  'flow-run resume': ['FAILED', 'CRASHED', 'CANCELLED'],
  'flow-run retry': ['FAILED'],
  'flow-run delete': ['COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED'],
}

const newest = 200

/** Names, and ids where one has been begun. */
function flowRuns(verb: string, beginning: string): Promise<readonly Candidate[]> {
  return readStore(async store => {
    const { withScheduled } = await import('../scheduled-runs.js')
    const found = await withScheduled(store).listFlowRuns({ state: statesOf[verb], limit: newest })
    return found.flatMap(({ run: { id, name, flowName, state } }) => {
      const description = `${flowName}, ${state.name}`
      const byName = { word: name, description }
      return beginning === '' ? [byName] : [byName, { word: id, description: `${name} of ${description}` }]
    })
  })
}

function deployments(): Promise<readonly Candidate[]> {
  return readStore(async store => (await deploymentIds(store)).map(word => ({ word })))
}

function flowNames(): Promise<readonly Candidate[]> {
  return readStore(async store => {
    const names = new Set((await store.listFlowRuns({ limit: newest })).map(({ run }) => run.flowName))
    for (const id of await deploymentIds(store)) names.add(id.slice(0, id.lastIndexOf('/')))
    return [...names].sort().map(word => ({ word }))
  })
}

async function deploymentIds(store: Store): Promise<readonly string[]> {
  const { kinds } = await import('../../deployments/record.js')
  return ((await store.documents?.list(kinds.deployments)) ?? []).map(({ key }) => key)
}

async function owners(): Promise<readonly Candidate[]> {
  const [{ journalsInfo }, { JsonStore }] = await Promise.all([
    import('../../store/info.js'),
    import('../../store/json.js'),
  ])
  const open = (await journalsInfo(new JsonStore().folder)).filter(
    ({ state }) => state === 'unknown' || state === 'dead',
  )
  return open.map(({ owner, pid, host }) => ({ word: owner, description: `process ${pid} on ${host}` }))
}
