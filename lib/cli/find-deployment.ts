import { MintakaError } from '../core/errors.js'
import { nearest, suggestion } from '../core/nearest.js'
import type { Deployments } from '../deployments/deployments.js'
import type { DeploymentRecord } from '../deployments/record.js'
import { clean } from './print.js'

/** What is said of the argument of every verb that takes a deployment. */
export const deploymentArgument = ['<deployment>', 'FLOW/NAME, or how that begins, or its name alone'] as const

/** The deployment of that id, of that name, or whose id or name begins so. Throws NOT_FOUND and AMBIGUOUS_ID. */
export async function findDeployment(deployments: Deployments, word: string): Promise<DeploymentRecord> {
  const all = await deployments.list()
  const found = meantBy(word, all)
  const [first, second] = found
  if (!first) throw notFound(word, all)
  if (!second) return first
  const lines = found.map(({ id }) => `  ${clean(id)}`)
  throw new MintakaError('AMBIGUOUS_ID', `'${word}' means several deployments:\n${lines.join('\n')}`)
}

/** Those of that id, else of that name, else those whose ids begin so, else those whose names do. */
export function meantBy(word: string, all: readonly DeploymentRecord[]): readonly DeploymentRecord[] {
  if (word === '') return []
  const ways = [
    ({ id }: DeploymentRecord) => id === word,
    ({ name }: DeploymentRecord) => name === word,
    ({ id }: DeploymentRecord) => id.startsWith(word),
    ({ name }: DeploymentRecord) => name.startsWith(word),
  ]
  for (const way of ways) {
    const found = all.filter(way)
    if (found.length > 0) return found
  }
  return []
}

function notFound(word: string, all: readonly DeploymentRecord[]): MintakaError {
  const form = word.includes('/') ? '' : ' Its id is FLOW/NAME.'
  const fix = suggestion(idsLike(word, all)) || ' mintaka deployment ls lists what there is.'
  return new MintakaError('NOT_FOUND', `There is no deployment '${word}' in the store.${form}${fix}`)
}

/** Ids that are near; for a word without a slash those whose one half is. */
function idsLike(word: string, all: readonly DeploymentRecord[]): readonly string[] {
  const ids = all.map(({ id }) => id)
  if (word.includes('/')) return nearest(word, ids)
  const halves = nearest(
    word,
    all.flatMap(({ name, flowName }) => [name, flowName]),
  )
  return all.filter(({ name, flowName }) => halves.includes(name) || halves.includes(flowName)).map(({ id }) => id)
}
