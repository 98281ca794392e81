import { readFile } from 'node:fs/promises'
import { basename, isAbsolute } from 'node:path'
import { MintakaError } from '../core/errors.js'
import type { TaskCode } from '../core/executor.js'
import type { Bundle } from './bundle.js'
import type { Definition } from './definitions.js'
import { findTask, taskNames } from './find.js'
import { stampOf } from './locate.js'
import { type Slice, sliceTask } from './slice.js'
import { readSource, type Source } from './source.js'
import { SyntaxProblem } from './syntax.js'

/** The code of a task, ready for threads of this process. */
export interface Shipment {
  /** Of the code alone: the same for the same code. */
  readonly hash: string
  /** What a thread imports. The default export is `(captures) => function`. */
  readonly url: string
  /** What may go wrong on a worker but need not, each a sentence with its place. */
  readonly warnings: readonly string[]
}

/**
 * Makes a task ready to be sent, the first time; after that it is known. All tasks of a file are made ready together,
 * so that they share what they share at home. Rejects with the MintakaError that says what a worker could not have.
 */
export async function ship({ name, source }: TaskCode): Promise<Shipment> {
  if (source.type !== 'slice') {
    throw new MintakaError('INVALID_ARGUMENT', `Task '${name}' is a reference to a module: workers import it as it is.`)
  }
  const { file, stamp, captures } = source
  if (file === undefined || !isAbsolute(file) || (stamp === undefined && stampOf(file) === undefined)) {
    throw noFile(name, file)
  }
  const shipped = shippedFile(file, stamp)
  return shipped.ship(name, Object.keys(captures ?? {}))
}

function noFile(name: string, file: string | undefined): MintakaError {
  const place = file === undefined ? 'code without a file' : isAbsolute(file) ? basename(file) : file
  const sentence = `Task '${name}' was defined in ${place} (REPL, -e or stdin), so there is no file to ship. Put it in a file.`
  return new MintakaError('NO_FILE', sentence, { task: name, ...(file !== undefined && { file }) })
}

const files = new Map<string, ShippedFile>()

/** One per version of a file: a loader may load a changed file again, under another query. */
function shippedFile(file: string, stamp: string | undefined): ShippedFile {
  const key = `${stamp}|${file}`
  const shipped = files.get(key) ?? new ShippedFile(file, stamp)
  files.set(key, shipped)
  return shipped
}

class ShippedFile {
  readonly #file: string
  readonly #stamp: string | undefined
  readonly #shipments = new Map<string, Promise<Shipment>>()
  #source: Promise<Source> | undefined
  #together: Promise<Map<string, Made>> | undefined

  constructor(file: string, stamp: string | undefined) {
    this.#file = file
    this.#stamp = stamp
  }

  ship(name: string, captureKeys: readonly string[]): Promise<Shipment> {
    const key = JSON.stringify([name, [...captureKeys].sort()])
    const shipment = this.#shipments.get(key) ?? this.#make(name, captureKeys)
    this.#shipments.set(key, shipment)
    return shipment
  }

  async #make(name: string, captureKeys: readonly string[]): Promise<Shipment> {
    const source = await (this.#source ??= this.#read()).catch(error => {
      throw unreadable(name, this.#file, error)
    })
    const task = findTask(source, name)
    const slice = sliceTask(source, task, captureKeys)
    const made = isAsWritten(task, captureKeys) ? (await (this.#together ??= makeAll(source))).get(name) : undefined
    const { bundle } = made ?? (await makeOne(slice))
    if (bundle instanceof MintakaError) throw bundle
    return { ...bundle, warnings: slice.warnings }
  }

  async #read(): Promise<Source> {
    const code = await readFile(this.#file, 'utf8').catch(() => undefined)
    if (code === undefined || (this.#stamp !== undefined && stampOf(this.#file) !== this.#stamp)) {
      throw changed(this.#file)
    }
    return readSource(this.#file, code)
  }
}

interface Made {
  readonly slice: Slice
  readonly bundle: Bundle | MintakaError
}

/** Every task of a file that can be sent as it is written there. */
async function makeAll(source: Source): Promise<Map<string, Made>> {
  const slices = taskNames(source).flatMap(name => sliceIfPossible(source, name) ?? [])
  const { bundle } = await import('./bundle.js')
  const bundles = await bundle(source, slices)
  return new Map(slices.map(slice => [slice.name, { slice, bundle: bundles.get(slice.name)! }]))
}

/** Each of the others says what is wrong with it when it is asked for. */
function sliceIfPossible(source: Source, name: string): Slice | undefined {
  try {
    const task = findTask(source, name)
    return sliceTask(source, task, keysAsWritten(task))
  } catch {
    return undefined
  }
}

async function makeOne(slice: Slice): Promise<Made> {
  const { bundle } = await import('./bundle.js')
  const bundles = await bundle(slice.source, [slice])
  return { slice, bundle: bundles.get(slice.name)! }
}

function isAsWritten(task: Definition, given: readonly string[]): boolean {
  return keysAsWritten(task).toSorted().join() === given.toSorted().join()
}

/** Options that are not plain to see (`task('x', fn, options)`) seldom hold captures. */
function keysAsWritten({ captureKeys }: Definition): readonly string[] {
  return captureKeys ?? []
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
