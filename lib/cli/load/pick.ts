import { MintakaError } from '../../core/errors.js'
import { didYouMean } from '../../core/nearest.js'
import type { AnyFlow, FoundFlow, LoadedFile } from './load.js'

/** The flow of that name in a loaded file; without a name the only one, or the one that the file itself calls. Throws NOT_FOUND with a list of what is there. */
export function pickFlow({ path, flows, called, stuckAt }: LoadedFile, name?: string): AnyFlow {
  const reached = notReached({ path, stuckAt })
  if (flows.length === 0) {
    const fix = "Define one at the top level: export const report = flow('report', …)."
    throw new MintakaError('NOT_FOUND', `There is no flow in ${path}. ${fix}${reached}`)
  }
  const meant = name ?? (flows.length > 1 ? called : undefined)
  const matching = meant === undefined ? flows : narrowed(flows, meant)
  const [first, second] = matching
  if (first && !second) return first.flow
  const list = flows.map(label).join(', ')
  if (!first && name !== undefined)
    throw new MintakaError(
      'NOT_FOUND',
      `There is no flow '${name}' in ${path}.${near(name, flows)} It has ${list}.${reached}`,
    )
  const sentence =
    meant === undefined || !first
      ? `There are several flows in ${path}`
      : `Several flows of ${path} are named '${meant}'`
  throw new MintakaError('NOT_FOUND', `${sentence}: ${list}. Say which one: mintaka run ${path}:NAME.`)
}

/** A sentence behind others: that some of a file has not been seen. */
export function notReached({ path, stuckAt }: Pick<LoadedFile, 'path' | 'stuckAt'>): string {
  if (stuckAt === undefined) return ''
  return ` ${path} waits for its call of flow '${stuckAt}', so that what stands below it was not reached. Define flows above it.`
}

/** Flows of that name; of several, what is exported under it, or exported at all, comes first. */
function narrowed(flows: readonly FoundFlow[], name: string): readonly FoundFlow[] {
  const exported = flows.filter(({ exportName }) => exportName === name)
  const named = flows.filter(({ flow }) => flow.name === name)
  if (named.length === 1) return named
  if (exported.length > 0) return exported
  const visible = named.filter(({ exportName }) => exportName !== undefined)
  return visible.length === 1 ? visible : named
}

function near(name: string, flows: readonly FoundFlow[]): string {
  return didYouMean(
    name,
    flows.flatMap(({ flow, exportName = flow.name }) => [flow.name, exportName]),
  )
}

function label({ flow, exportName }: FoundFlow): string {
  return exportName === undefined || exportName === flow.name ? flow.name : `${flow.name} (exported as ${exportName})`
}
