import { realpathSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import type { Deployment } from '../../deployments/deployment.js'
import { definitionOf, type Flow, isFlow, whileLoading } from '../../flow.js'
import { Failure } from '../print.js'
import { installHooks } from './install.js'

export type AnyFlow = Flow<unknown[], unknown>

/** The flows of a file. */
export interface LoadedFile {
  /** The path as it was given, for sentences. */
  readonly path: string
  readonly flows: readonly FoundFlow[]
  /** The deployments of a file, exported or not; if it defines none, those of the files that it imports. */
  readonly deployments: readonly Deployment[]
  /** The flow that the file calls first at its top level. */
  readonly called: string | undefined
  /** The flow at whose call the file waits for ever: what stands below the call was not reached. */
  readonly stuckAt: string | undefined
}

export interface FoundFlow {
  readonly flow: AnyFlow
  readonly exportName: string | undefined
}

/**
 * Loads a user's file for its flows: those that it exports, and those that it defines without exporting them. Calls of
 * flows at its top level are inert, so that `await main()` there never ends; the import is then not waited for.
 *
 * A file that defines and exports none gives those of the files that it imports.
 */
export async function loadFile(path: string): Promise<LoadedFile> {
  installHooks()
  const file = realpathSync(path)
  const defined = new Set<AnyFlow>()
  const end = new End()
  const deployed: Deployment[] = []
  let called: string | undefined
  const loading = {
    defined(flow: AnyFlow) {
      defined.add(flow)
      end.notYet()
    },
    called(flowName: string) {
      called ??= flowName
      end.isNear()
    },
    deployed(deployment: Deployment) {
      deployed.push(deployment)
      end.notYet()
    },
    served() {
      end.isNear()
    },
  }
  const whole = whileLoading(loading, () => import(pathToFileURL(file).href) as Promise<Record<string, unknown>>)
  const notice = setTimeout(() => process.stderr.write(`mintaka: ${path} is still being loaded\n`), noticeAfterMs)
  notice.unref()
  try {
    const exports = await Promise.race([whole, end.reached])
    const flows = flowsOf(file, exports ?? {}, defined)
    const deployments = deploymentsOf(file, exports ?? {}, deployed)
    return { path, flows, deployments, called, stuckAt: exports ? undefined : called }
  } catch (error) {
    throw new Failure(`${path} could not be loaded.`, { cause: error })
  } finally {
    clearTimeout(notice)
    end.stop()
  }
}

const noticeAfterMs = 5000

/** How long a file that has called a flow, and keeps the process alive by other means, may go on. */
const graceMs = 500

/**
 * The end of a file that does not end: `await main()` waits for ever. It is reached when nothing is left that could go
 * on, or, where a server or a pool of connections keeps the process alive, some time after a flow was called.
 */
class End {
  readonly reached: Promise<undefined>
  readonly #reach: () => void
  #grace: NodeJS.Timeout | undefined

  constructor() {
    let reach = () => {}
    this.reached = new Promise(resolve => {
      reach = () => resolve(undefined)
    })
    this.#reach = reach
    process.once('beforeExit', reach)
  }

  /** A flow was called, and perhaps is awaited. */
  isNear(): void {
    this.#grace ??= setTimeout(this.#reach, graceMs).unref()
  }

  /** The file goes on: it has just defined something. */
  notYet(): void {
    this.#grace?.refresh()
  }

  stop(): void {
    clearTimeout(this.#grace)
    process.off('beforeExit', this.#reach)
  }
}

function flowsOf(file: string, exports: Record<string, unknown>, defined: ReadonlySet<AnyFlow>): FoundFlow[] {
  const found = new Map<AnyFlow, FoundFlow>()
  for (const [exportName, value] of exported(exports)) {
    if (isFlow(value) && !found.has(value)) found.set(value, { flow: value, exportName })
  }
  const add = (flow: AnyFlow) => found.has(flow) || found.set(flow, { flow, exportName: undefined })
  for (const flow of defined) if (definitionOf(flow)?.definition.file === file) add(flow)
  if (found.size === 0) for (const flow of defined) add(flow)
  return [...found.values()]
}

/** Of several with one id, the later one. */
function deploymentsOf(
  file: string,
  exports: Record<string, unknown>,
  defined: readonly Deployment[],
): readonly Deployment[] {
  const visible = new Set(exported(exports).map(([, value]) => value))
  const own = defined.filter(each => each.file === file || visible.has(each))
  const last = new Map((own.length > 0 ? own : defined).map(each => [each.id, each]))
  return [...last.values()]
}

/** Exports by name; also those of a CommonJS file, which are the properties of its default export. */
function exported(exports: Record<string, unknown>): [string, unknown][] {
  const whole = exports['default']
  const inner = typeof whole === 'object' && whole !== null ? Object.entries(whole) : []
  const { default: _, ...named } = exports
  return [...Object.entries(named), ...inner, ['default', whole]]
}
