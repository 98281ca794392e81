import { statSync } from 'node:fs'
import { join } from 'node:path'
import { namesIn } from './files.js'
import { emptyCatalogue, readCatalogue } from './history/catalogue.js'
import { filesOf, type JournalFiles, journalsOf } from './journal/journal-files.js'
import { headerOf, isClosed, openAtEnd } from './journal/journal-state.js'
import { format } from './lines/line.js'
import { lockHolder } from './lock.js'
import { isDead, thisProcess } from './process-id.js'

/** What is in the folder of a store. */
export interface StoreInfo {
  readonly folder: string
  readonly format: number
  readonly catalogue: 'whole' | 'damaged' | 'missing'
  readonly generation: number
  /** Flow runs in the history; those in journals are not counted. */
  readonly foldedFlowRuns: number
  readonly history: readonly { readonly name: string; readonly bytes: number; readonly flowRuns: number }[]
  readonly journals: readonly JournalInfo[]
  readonly bytes: Readonly<
    Record<'journals' | 'history' | 'index' | 'results' | 'cache' | 'claims' | 'damaged', number>
  >
  /** Who folds, prunes or rebuilds at this moment. */
  readonly lock?: { readonly pid: number; readonly host: string; readonly alive: boolean | 'unknown' } | undefined
}

export interface JournalInfo {
  readonly name: string
  readonly owner: string
  readonly pid?: number | undefined
  readonly host?: string | undefined
  readonly created?: number | undefined
  /**
   * `alive`: its process goes on; `dead`: its runs end when the store is opened for writing; `unknown`: it is of another
   * machine; `closed` and `ended`: nothing will be added; `folded`: all of it is in the history.
   */
  readonly state: 'alive' | 'dead' | 'unknown' | 'closed' | 'ended' | 'folded'
  readonly segments: number
  readonly bytes: number
}

/** Tells what is in a folder. Changes nothing. */
export async function storeInfo(folder: string): Promise<StoreInfo> {
  const { catalogue, damaged } = readCatalogue(join(folder, 'catalogue.json'))
  const { generation, segments, format: own } = catalogue ?? { ...emptyCatalogue(), format }
  const path = join(folder, 'journals')
  const holder = lockHolder(join(folder, 'fold.lock'))
  return {
    folder,
    format: own,
    catalogue: damaged ? 'damaged' : catalogue ? 'whole' : 'missing',
    generation,
    foldedFlowRuns: segments.reduce((sum, { runs }) => sum + runs, 0),
    history: segments.map(({ name, bytes, runs }) => ({ name, bytes, flowRuns: runs })),
    journals: await journalsInfo(folder),
    bytes: {
      journals: sizeOf(path),
      history: sizeOf(join(folder, 'history')),
      index: sizeOf(join(folder, 'index')),
      results: sizeOf(join(folder, 'results', 'pool')),
      cache: sizeOf(join(folder, 'cache')),
      claims: sizeOf(join(folder, 'claims')),
      damaged: sizeOf(join(folder, 'damaged')),
    },
    ...(holder && { lock: { pid: holder.process.pid, host: holder.process.host, alive: liveness(holder.process) } }),
  }
}

/** The journals of a store, the oldest first, and what is known of the processes that write them. Changes nothing. */
export async function journalsInfo(folder: string): Promise<JournalInfo[]> {
  const { folded } = readCatalogue(join(folder, 'catalogue.json')).catalogue ?? emptyCatalogue()
  const path = join(folder, 'journals')
  const journals: JournalInfo[] = []
  for (const files of journalsOf(namesIn(path)).values()) journals.push(await journalInfo(path, files, folded))
  return journals.sort((a, b) => (a.created ?? 0) - (b.created ?? 0))
}

async function journalInfo(
  path: string,
  files: JournalFiles,
  folded: readonly { readonly journal: string; readonly created: number; readonly upTo?: number | undefined }[],
): Promise<JournalInfo> {
  const header = await headerOf(path, files)
  const created = header?.created ?? 0
  const isFolded = folded.some(
    each => each.journal === files.name && each.created === created && each.upTo === undefined,
  )
  const isLeft = (openAtEnd(path, files) ?? 0) > 0
  const alive = isLeft ? false : header ? liveness(header.process) : 'unknown'
  const open = alive === true ? 'alive' : alive === false ? 'dead' : 'unknown'
  return {
    name: files.name,
    owner: header?.owner ?? '',
    pid: header?.process.pid,
    host: header?.process.host,
    created: header?.created,
    state: isFolded ? 'folded' : files.ended ? 'ended' : isClosed(path, files) ? 'closed' : open,
    segments: files.segments.length,
    bytes: filesOf(files).reduce((sum, file) => sum + sizeOf(join(path, file)), 0),
  }
}

function liveness(process: Parameters<typeof isDead>[0]): boolean | 'unknown' {
  if (isDead(process)) return false
  const here = thisProcess()
  const isNear = process.host === here.host && process.machine === here.machine && process.namespace === here.namespace
  return isNear ? true : 'unknown'
}

/** Of a file, or of all files in a folder and below. */
function sizeOf(path: string): number {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat?.isDirectory()) return stat?.size ?? 0
  return namesIn(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0)
}
