import type { LogLevel } from '../core/logger.js'
import { defaultMaxFlowDepth } from '../default-engine.js'
import { Engine } from '../engine/engine.js'
import { levelFromEnvironment, stderrLogger } from '../engine/logger.js'
import { realSurroundings } from '../engine/surroundings.js'
import { JsonStore } from '../store/json.js'

/** An engine on the store of the command line. It logs from `level` on, unless the environment says otherwise. */
export function cliEngine(level: LogLevel = 'info'): Engine {
  return new Engine({
    store: new JsonStore(),
    logger: stderrLogger(levelFromEnvironment() ?? level),
    surroundings: realSurroundings,
    maxFlowDepth: defaultMaxFlowDepth,
  })
}
