import { readFileSync, realpathSync } from 'node:fs'
import { dirname, extname, isAbsolute, join } from 'node:path'
import { isMintakaError } from '../../core/errors.js'
import { type Deployment, type DeploymentOptions, makeDeployment } from '../../deployments/deployment.js'
import { Failure } from '../print.js'
import { type LoadedFile, loadFile } from './load.js'
import { notReached, pickFlow } from './pick.js'
import { splitTarget } from './target.js'
import { type DeploymentSpec, type SpecEntry, specEntries } from './yaml.js'

/** A deployment of a file, or why there is none. */
export type FoundDeployment =
  | { readonly label: string; readonly deployment: Deployment }
  | { readonly label: string; readonly error: unknown }

/**
 * The deployments that files define: those that JavaScript and TypeScript makes when it is loaded, and those that YAML
 * describes. What is wrong with one is said in its place, and the others are found all the same.
 */
export class DeploymentFiles {
  /** A file that defines several flows is loaded once. */
  readonly #loaded = new Map<string, Promise<LoadedFile>>()

  async find(path: string): Promise<FoundDeployment[]> {
    const { file, name } = splitTarget(path)
    if (name !== undefined) throw new Failure(`There is no file ${path}: deployments are named in the file itself.`)
    if (yamlEndings.includes(extname(file))) return this.#inYaml(file)
    if (codeEndings.includes(extname(file))) return this.#inCode(file)
    const endings = [...codeEndings, ...yamlEndings].join(', ')
    throw new Failure(`${file} is neither code nor YAML. Deployments are in a file that ends in ${endings}.`)
  }

  async #inCode(file: string): Promise<FoundDeployment[]> {
    const loaded = await this.#load(file)
    if (loaded.deployments.length > 0)
      return loaded.deployments.map(deployment => ({ label: deployment.id, deployment }))
    const fix = "Define one at the top level: export const daily = deployment('daily', report, { … })."
    throw new Failure(`There is no deployment in ${file}. ${fix}${notReached(loaded)}`)
  }

  async #inYaml(path: string): Promise<FoundDeployment[]> {
    const entries = specEntries(path, readFileSync(path, 'utf8'))
    if (entries.length === 0) throw new Failure(`There is no deployment in ${path}. ${yamlExample}`)
    const found: FoundDeployment[] = []
    for (const entry of entries) found.push(await this.#made(entry, path))
    return found
  }

  async #made(entry: SpecEntry, path: string): Promise<FoundDeployment> {
    try {
      const spec = entry.read()
      const deployment = await this.#deploymentOf(spec, dirname(path))
      return { label: deployment.id, deployment }
    } catch (error) {
      return { label: entry.label, error }
    }
  }

  async #deploymentOf(spec: DeploymentSpec, folder: string): Promise<Deployment> {
    let key = 'flow'
    try {
      const { file, name } = splitTarget(isAbsolute(spec.flow) ? spec.flow : join(folder, spec.flow))
      const flow = pickFlow(await this.#load(file), name)
      key = 'name'
      // Its values are checked there.
      return makeDeployment(spec.name, flow, spec.options as DeploymentOptions, realpathSync(file))
    } catch (error) {
      throw placed(error, spec, key)
    }
  }

  #load(path: string): Promise<LoadedFile> {
    const file = realpathSync(path)
    const loaded = this.#loaded.get(file) ?? loadFile(path)
    this.#loaded.set(file, loaded)
    return loaded
  }
}

const codeEndings = ['.js', '.mjs', '.cjs', '.jsx', '.ts', '.mts', '.cts', '.tsx']
const yamlEndings = ['.yaml', '.yml']
const yamlExample = 'One has at least two lines: `name: daily` and `flow: report.ts:monthly`.'

/** The error with the place in front that it is about. */
function placed(error: unknown, spec: DeploymentSpec, key: string): unknown {
  if (!(error instanceof Failure) && !isMintakaError(error)) return error
  // Of what is wrong with the options, only the schedule has no option named.
  const about = isMintakaError(error, 'INVALID_OPTION') ? ('option' in error ? String(error.option) : 'schedule') : key
  const { message, cause } = error
  // What a user's file threw is shown as it was thrown; what led to an error of ours says no more than that does.
  const isUsers = error instanceof Failure && cause !== undefined
  return new Failure(`${spec.placeOf(about)}: ${message}`, isUsers ? { cause } : {})
}
