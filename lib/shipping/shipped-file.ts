import { readFile } from 'node:fs/promises'
import { basename, isAbsolute } from 'node:path'
import { MintakaError } from '../core/errors.js'
import type { TaskCode, TaskSource } from '../core/executor.js'
import type { Definition } from './definitions.js'
import type { Destination, Shipped } from './destination.js'
import { findTask, tasksOf } from './find.js'
import { stampOf } from './locate.js'
import { type Lists, noLists } from './options.js'
import { type Slice, sliceTask } from './slice.js'
import { readSource, type Source } from './source.js'
import { SyntaxProblem } from './syntax.js'

/** The files whose tasks have been sent to one kind of destination. */
export class ShippedFiles<Code extends Shipped> {
  readonly #destination: Destination<Code>
  readonly #files = new Map<string, ShippedFile<Code>>()

  constructor(destination: Destination<Code>) {
    this.#destination = destination
  }

  /** Makes a task ready to be sent, the first time; after that it is known. */
  async ship({ name, source }: TaskCode): Promise<Code> {
    if (source.type !== 'slice') {
      throw new MintakaError(
        'INVALID_ARGUMENT',
        `Task '${name}' is a reference to a module: workers import it as it is.`,
      )
    }
    const { file, stamp, captures } = source
    if (file === undefined || !isAbsolute(file) || (stamp === undefined && stampOf(file) === undefined)) {
      throw noFile(name, file)
    }
    return this.#file(file, stamp).ship({
      name,
      captureKeys: Object.keys(captures ?? {}).sort(),
      lists: listed(source),
    })
  }

  /** One per version of a file: a loader may load a changed file again, under another query. */
  #file(file: string, stamp: string | undefined): ShippedFile<Code> {
    const key = `${stamp}|${file}`
    const shipped = this.#files.get(key) ?? new ShippedFile(file, stamp, this.#destination)
    this.#files.set(key, shipped)
    return shipped
  }
}

function listed({ external, files }: Extract<TaskSource, { type: 'slice' }>): Lists {
  return { external, files }
}

function noFile(name: string, file: string | undefined): MintakaError {
  const place = file === undefined ? 'code without a file' : isAbsolute(file) ? basename(file) : file
  const sentence = `Task '${name}' was defined in ${place} (REPL, -e or stdin), so there is no file to ship. Put it in a file.`
  return new MintakaError('NO_FILE', sentence, { task: name, ...(file !== undefined && { file }) })
}

/** What is wanted of a file: a task with what its options said at run time. */
interface Wanted {
  readonly name: string
  readonly captureKeys: readonly string[]
  readonly lists: Lists
}

class ShippedFile<Code extends Shipped> {
  readonly #file: string
  readonly #stamp: string | undefined
  readonly #destination: Destination<Code>
  readonly #shipped = new Map<string, Promise<Code>>()
  #source: Promise<Source> | undefined
  readonly #together = new Map<string, Promise<Map<string, Code | MintakaError>>>()

  constructor(file: string, stamp: string | undefined, destination: Destination<Code>) {
    this.#file = file
    this.#stamp = stamp
    this.#destination = destination
  }

  ship(given: Wanted): Promise<Code> {
    const wanted = { ...given, lists: this.#destination.listsOf(given.lists) }
    const key = JSON.stringify(wanted)
    const shipped = this.#shipped.get(key) ?? this.#make(wanted)
    this.#shipped.set(key, shipped)
    return shipped
  }

  async #make({ name, captureKeys, lists }: Wanted): Promise<Code> {
    const source = await (this.#source ??= this.#read()).catch(error => {
      throw unreadable(name, this.#file, error)
    })
    const task = findTask(source, name)
    const slice = sliceTask(source, task, captureKeys)
    const isAsWritten =
      isSame(captureKeys, keysAsWritten(task)) && isSame(lists, listsAsWritten(task, this.#destination))
    const code =
      (isAsWritten ? (await this.#makeTogether(source, lists)).get(name) : undefined) ??
      (await bundled(source, [slice], lists, this.#destination)).get(name)!
    if (code instanceof MintakaError) throw code
    return { ...code, warnings: [...slice.warnings, ...code.warnings] }
  }

  /** Every task of the file that can be sent as it is written there, and lists the same. */
  #makeTogether(source: Source, lists: Lists): Promise<Map<string, Code | MintakaError>> {
    const key = JSON.stringify(lists)
    const known = this.#together.get(key)
    if (known) return known
    const tasks = tasksOf(source).filter(task => isSame(lists, listsAsWritten(task, this.#destination)))
    const made = bundled(source, slicesOf(source, tasks, this.#destination), lists, this.#destination)
    this.#together.set(key, made)
    return made
  }

  async #read(): Promise<Source> {
    const code = await readFile(this.#file, 'utf8').catch(() => undefined)
    if (code === undefined || (this.#stamp !== undefined && stampOf(this.#file) !== this.#stamp)) {
      throw changed(this.#file)
    }
    return readSource(this.#file, code)
  }
}

/** What becomes of all tasks of a file that can be sent as they are written there, by their names. */
export async function bundledAsWritten<Code extends Shipped>(
  source: Source,
  tasks: readonly Definition[],
  destination: Destination<Code>,
): Promise<Map<string, Code | MintakaError>> {
  const groups = new Map<string, Definition[]>()
  for (const task of tasks) {
    const key = JSON.stringify(listsAsWritten(task, destination))
    groups.set(key, [...(groups.get(key) ?? []), task])
  }
  const results = [...groups.values()].map(group =>
    bundled(source, slicesOf(source, group, destination), listsAsWritten(group[0]!, destination), destination),
  )
  return new Map((await Promise.all(results)).flatMap(result => [...result]))
}

/** Those that cannot be cut out say so when they are asked for. */
function slicesOf<Code extends Shipped>(
  source: Source,
  tasks: readonly Definition[],
  destination: Destination<Code>,
): Slice[] {
  const taken = tasks.filter(task => task.isCertain && destination.takes(task))
  const names = new Set(taken.flatMap(({ name }) => name ?? []))
  return [...names].flatMap(name => {
    try {
      const task = findTask(source, name)
      return [sliceTask(source, task, keysAsWritten(task))]
    } catch {
      return []
    }
  })
}

async function bundled<Code extends Shipped>(
  source: Source,
  slices: readonly Slice[],
  lists: Lists,
  destination: Destination<Code>,
): Promise<Map<string, Code | MintakaError>> {
  if (slices.length === 0) return new Map()
  const { bundle } = await import('./bundle.js')
  return bundle(source, slices, await destination.prepare(source, lists))
}

/** Options that are not plain to see (`task('x', fn, options)`) seldom list anything. */
function listsAsWritten<Code extends Shipped>({ lists }: Definition, destination: Destination<Code>): Lists {
  return destination.listsOf(lists ?? noLists)
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** And seldom hold captures. */
function keysAsWritten({ captureKeys }: Definition): readonly string[] {
  return captureKeys?.toSorted() ?? []
}

function changed(file: string): MintakaError {
  const sentence = `${basename(file)} has changed since it was loaded; restart to run its tasks on workers.`
  return new MintakaError('SOURCE_CHANGED', sentence, { file })
}

function unreadable(name: string, file: string, error: unknown): unknown {
  if (!(error instanceof SyntaxProblem)) return error
  const place = `${basename(file)}:${error.line}:${error.column}`
  const sentence = `Task '${name}' can't be prepared for workers: ${place} ${error.message}.`
  return new MintakaError('BUILD', sentence, { cause: error, task: name, file, line: error.line })
}
