import { LowSync, type SyncAdapter } from 'lowdb'
import { MintakaError } from '../core/errors.js'
import type { FlowRun } from '../core/run.js'
import { readIfThere, replaceFile } from './files.js'
import { format } from './lines.js'

/** What `catalogue.json` holds: little, and nothing that the journals could not give back. */
export interface Catalogue {
  format: number
  /** Grows when journals are folded. */
  generation: number
  /** The flows that have run, by name. */
  flows: Record<string, CataloguedFlow>
}

export interface CataloguedFlow {
  readonly file?: string | undefined
  readonly description?: string | undefined
  /** When its last run was created, as far as is known here. */
  readonly lastRun: number
}

/** Gives what is in the file; `undefined`: there is none, or it is damaged. Throws STORE_FORMAT if it is of a newer version. */
export function readCatalogue(path: string): { catalogue: Catalogue | undefined; damaged: boolean } {
  const text = readIfThere(path)
  if (text === undefined) return { catalogue: undefined, damaged: false }
  const catalogue = parse(text)
  if (catalogue && catalogue.format > format)
    throw new MintakaError(
      'STORE_FORMAT',
      `The store ${path} has format ${catalogue.format}; this version of Mintaka knows formats up to ${format}. Use a newer Mintaka, or set MINTAKA_HOME to another folder.`,
    )
  return { catalogue, damaged: catalogue === undefined }
}

/**
 * Adds flows to the catalogue, which is made if there is none. Those that others have added stay, unless two processes
 * do this at the very same time; then the last one wins, and the flow of the other one is added again at its next run.
 */
export function addToCatalogue(
  path: string,
  flows: ReadonlyMap<string, CataloguedFlow>,
  temporary: () => string,
): void {
  const low = new LowSync<Catalogue>(wholeFile(path, temporary), { format, generation: 0, flows: Object.create(null) })
  low.read()
  low.data.format = format
  for (const [name, flow] of flows)
    if (flow.lastRun >= (low.data.flows[name]?.lastRun ?? 0)) low.data.flows[name] = flow
  low.write()
}

export function catalogued(run: FlowRun): CataloguedFlow {
  return { file: run.file, description: run.description, lastRun: run.created }
}

/** Like lowdb's own adapter for files, which does not bring anything to the disk before it renames. */
function wholeFile(path: string, temporary: () => string): SyncAdapter<Catalogue> {
  return {
    read: () => readCatalogue(path).catalogue ?? null,
    write: data => replaceFile(path, `${JSON.stringify(data, null, 2)}\n`, temporary(), true),
  }
}

function parse(text: string): Catalogue | undefined {
  try {
    const data = JSON.parse(text) as Partial<Catalogue> | null
    if (typeof data?.format !== 'number') return undefined
    if (data.format <= format && (typeof data.flows !== 'object' || data.flows === null)) return undefined
    return {
      format: data.format,
      generation: data.generation ?? 0,
      flows: Object.assign(Object.create(null), data.flows),
    }
  } catch {
    return undefined
  }
}
