import { existsSync } from 'node:fs'
import type { DeploymentRecord } from '../../deployments/record.js'
import { Failure } from '../print.js'
import { type AnyFlow, loadFile } from './load.js'
import { pickFlow } from './pick.js'

/** The flow of a deployment, from its file. Throws a Failure if the file is not there or cannot be loaded, and NOT_FOUND. */
export async function flowOfDeployment({ id, flowName, file }: DeploymentRecord): Promise<AnyFlow> {
  const fix = 'Make it anew: mintaka deployment create FILE.'
  if (file === undefined) throw new Failure(`Deployment '${id}' was defined in no file. ${fix}`)
  if (!existsSync(file)) throw new Failure(`Deployment '${id}' is of ${file}, which is not there. ${fix}`)
  const loaded = await loadFile(file)
  // A file may deploy flows of others.
  return loaded.deployments.find(deployment => deployment.id === id)?.flow ?? pickFlow(loaded, flowName)
}
