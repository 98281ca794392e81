import type { BuildOptions, Metafile, OnResolveArgs, OnResolveResult, ResolveResult } from 'esbuild'
import type { MintakaError } from '../core/errors.js'
import type { Definition } from './definitions.js'
import type { Lists } from './options.js'
import type { Slice } from './slice.js'
import type { Source } from './source.js'

/** What every task becomes. */
export interface Shipped {
  /** What may go wrong there but need not, each a sentence with its place. */
  readonly warnings: readonly string[]
}

/** Where code is sent to: what differs between threads of this machine and workers on others. */
export interface Destination<Code extends Shipped> {
  /** Whether a definition can be sent there at all. */
  takes(definition: Definition): boolean
  /** The lists that count there: tasks of a file share their code if these are the same. */
  listsOf(lists: Lists): Lists
  /** Before slices of a file are built for the first time. */
  prepare(source: Source, lists: Lists): Promise<Prepared<Code>>
}

export interface Prepared<Code extends Shipped> {
  /** One run of esbuild. */
  build(): Build<Code>
}

export interface Build<Code extends Shipped> {
  readonly settings: Pick<BuildOptions, 'outdir' | 'chunkNames'>
  /** From where a `require` of a computed name looks: an expression. */
  readonly requireFrom: string
  /** Where the code of a file finds itself: an expression for a URL. */
  urlOf(file: string): string
  /** What becomes of the import of a package; `undefined`: it is bundled, or esbuild says that it is not there. */
  packageAs(args: OnResolveArgs, found: ResolveResult): OnResolveResult | undefined
  /** What a task gets, by its name. An error is for that task alone. */
  finish(built: Built): Promise<Map<string, Code | MintakaError>>
}

/** What esbuild has made. */
export interface Built {
  readonly source: Source
  readonly slices: readonly Slice[]
  /** The module of each task, by the name of the task. */
  readonly entries: ReadonlyMap<string, string>
  readonly codes: ReadonlyMap<string, string>
  /** Source maps as JSON, by the names of the modules. They name files by their URLs. */
  readonly maps: ReadonlyMap<string, string>
  readonly metafile: Metafile
}
