import { Engine } from './engine/engine.js'
import { levelFromEnvironment, stderrLogger } from './engine/logger.js'
import { realSurroundings } from './engine/surroundings.js'
import { JsonStore } from './store/json.js'

/** How deep flows may be nested unless `createEngine` says otherwise. */
export const defaultMaxFlowDepth = 100

let engine: Engine | undefined

/**
 * The engine of flows that name none: its store is in `MINTAKA_HOME`, else `~/.mintaka`. Made when the first flow is
 * called, and closed when the process has nothing left to do.
 */
export function defaultEngine(): Engine {
  if (engine) return engine
  engine = new Engine({
    store: new JsonStore(),
    logger: stderrLogger(levelFromEnvironment() ?? 'warn'),
    surroundings: realSurroundings,
    maxFlowDepth: defaultMaxFlowDepth,
  })
  process.once('beforeExit', closeDefaultEngine)
  return engine
}

function closeDefaultEngine(): void {
  const closing = engine
  engine = undefined
  closing?.close().catch(error => {
    process.stderr.write(`mintaka: the store could not be closed: ${String(error)}\n`)
    process.exitCode ||= 1
  })
}
