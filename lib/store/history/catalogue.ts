import { crc32 } from 'node:zlib'
import { LowSync, type SyncAdapter } from 'lowdb'
import { MintakaError } from '../../core/errors.js'
import type { FlowRun } from '../../core/run.js'
import { readIfThere, replaceFile } from '../files.js'
import { format } from '../lines/line.js'

/** What `catalogue.json` holds: little, and nothing that history and journals could not give back. */
export interface Catalogue {
  format: number
  /** Grows by one with every change of what is where. */
  generation: number
  /** The flows that have run, by name, as far as their journals have been folded. */
  flows: Record<string, CataloguedFlow>
  /** The history, oldest first. */
  segments: Segment[]
  /** Journals that stand in the history, and are removed one generation later. */
  folded: FoldedJournal[]
  /** When the newest flow run in the history was created. */
  mc: number
  /** Other files that nobody needs any more, removed one generation later. */
  dropped: { file: string; generation: number }[]
}

export interface CataloguedFlow {
  readonly file?: string | undefined
  readonly description?: string | undefined
  /** When its last run was created, as far as is known here. */
  readonly lastRun: number
}

/** A file of the history, and that of its index. What follows these lengths does not count. */
export interface Segment {
  /** `history/<name>.ndjson`. */
  readonly name: string
  readonly bytes: number
  /** `index/<index>.ndjson`. */
  readonly index: string
  readonly indexBytes: number
  /** How many flow runs there are in it. */
  readonly runs: number
  /** No flow run in the segments before this one was created later. */
  readonly mc: number
}

export interface FoldedJournal {
  readonly journal: string
  /** When it was begun: another one may have that name later. */
  readonly created: number
  readonly generation: number
  /** Only its segments up to this one; what was left of them is in `<journal>.<upTo>.carry`. Absent: all of it. */
  readonly upTo?: number | undefined
  /** Some of it could not be understood: its files are kept, in `damaged/`. */
  readonly damaged?: true | undefined
}

export function emptyCatalogue(): Catalogue {
  return { format, generation: 0, flows: Object.create(null), segments: [], folded: [], mc: 0, dropped: [] }
}

/** Gives what is in the file; `undefined`: there is none, or it is damaged. It may be of a newer format: see {@link checkFormat}. */
export function readCatalogue(path: string): { catalogue: Catalogue | undefined; damaged: boolean } {
  const text = readIfThere(path)
  if (text === undefined) return { catalogue: undefined, damaged: false }
  const catalogue = parse(text)
  return { catalogue, damaged: catalogue === undefined }
}

/** Throws STORE_FORMAT for a catalogue that only a newer version may write. */
export function checkFormat(path: string, catalogue: Catalogue): void {
  if (catalogue.format <= format) return
  throw new MintakaError(
    'STORE_FORMAT',
    `The store ${path} has format ${catalogue.format}; this version of Mintaka writes formats up to ${format}, and reads what it understands of newer ones. Use a newer Mintaka, or set MINTAKA_HOME to another folder.`,
  )
}

/** Replaces the catalogue, so that it survives the loss of power. Only who holds the lock may do this. */
export function writeCatalogue(path: string, catalogue: Catalogue, temporary: () => string): void {
  const low = new LowSync<Catalogue>(wholeFile(path, temporary), catalogue)
  low.write()
}

export function catalogued(run: FlowRun): CataloguedFlow {
  return { file: run.file, description: run.description, lastRun: run.created }
}

/** Adds a flow, unless a later run of it is known. */
export function addFlow(flows: Record<string, CataloguedFlow>, name: string, flow: CataloguedFlow): void {
  if (flow.lastRun >= (flows[name]?.lastRun ?? 0)) flows[name] = flow
}

/** Like lowdb's own adapter for files, which does not bring anything to the disk before it renames. */
function wholeFile(path: string, temporary: () => string): SyncAdapter<Catalogue> {
  return {
    read: () => readCatalogue(path).catalogue ?? null,
    write: catalogue => replaceFile(path, catalogueText(catalogue), temporary(), true),
  }
}

export function catalogueText(catalogue: Catalogue): string {
  return `${JSON.stringify({ ...catalogue, z: checksumOf(catalogue) }, null, 2)}\n`
}

function parse(text: string): Catalogue | undefined {
  try {
    const parsed = JSON.parse(text) as (Partial<Catalogue> & { z?: string }) | null
    if (typeof parsed?.format !== 'number') return undefined
    const { z, ...found } = parsed
    const isChecked = parsed.format <= format && (z !== undefined || parsed.format === format)
    if (isChecked && z !== checksumOf(found)) return undefined
    // Of a newer format whatever is known is taken; what it calls otherwise is not there for us.
    const isWhole = parsed.format > format || (typeof found.flows === 'object' && found.flows !== null)
    if (!isWhole) return undefined
    const { generation = 0, segments = [], folded = [], mc = 0, dropped = [] } = found
    const lists = [segments, folded, dropped]
    if (!Number.isInteger(generation) || !lists.every(Array.isArray) || !segments.every(isSegment)) return undefined
    // Names of flows are the users': one may be called __proto__.
    const flows: Record<string, CataloguedFlow> = Object.assign(Object.create(null), found.flows)
    return { ...found, format: parsed.format, generation, flows, segments, folded, mc, dropped }
  } catch {
    return undefined
  }
}

/** Of what is in the file, however it is laid out. */
function checksumOf(catalogue: Partial<Catalogue>): string {
  return crc32(JSON.stringify(catalogue)).toString(16).padStart(8, '0')
}

function isSegment(segment: Partial<Segment> | null): boolean {
  const numbers = [segment?.bytes, segment?.indexBytes, segment?.runs, segment?.mc]
  return typeof segment?.name === 'string' && typeof segment.index === 'string' && numbers.every(Number.isFinite)
}
