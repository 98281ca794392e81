import { inspect } from 'node:util'
import type { Option } from 'commander'
import type { RunFuture } from '../core/future.js'
import type { SettledState } from '../core/state.js'
import { longestTimer } from '../core/surroundings.js'
import type { Engine } from '../engine/engine.js'
import { isJson } from './as-json.js'
import { cancelOnSignals } from './cancel-on-signals.js'
import { cliEngine } from './engine.js'
import { seconds } from './options.js'
import { colorsOf, Failure, printLine } from './print.js'
import { printError, thrownText } from './print-error.js'
import { isLive } from './progress/live-display.js'
import { showProgress } from './progress/show-progress.js'

/** How a flow run ended that the command line has started; `signalled`: the exit code, if a signal ended it. */
export interface End {
  readonly state: SettledState
  readonly signalled: number | undefined
}

/** How long a run may wait for its store. */
export function storeTimeoutOption(): Option {
  return seconds('--store-timeout <seconds>', 'how long to wait for a store that cannot be written').default(30)
}

/**
 * Carries out the flow run that `start` starts, with progress on a terminal and signals obeyed: on the engine that is
 * given, else on one with the store of the CLI. The engine is closed at the end.
 */
export async function runToEnd(
  start: (engine: Engine) => RunFuture<unknown>,
  { engine: given, storeTimeoutMs }: { readonly engine?: Engine | undefined; readonly storeTimeoutMs: number },
): Promise<End> {
  const isShown = isLive(process.stderr)
  const engine = given ?? cliEngine(isShown ? 'warn' : 'info') // a live display tells what info would
  await engine.ready
  const progress = isShown ? showProgress(engine) : undefined
  const future = start(engine)
  const endStuck = () => cancelStuck(future)
  process.once('beforeExit', endStuck)
  const signals = cancelOnSignals(future)
  const stopWaiting = giveUpOnStore(engine, storeTimeoutMs)
  try {
    const state = await future.wait()
    await engine.close()
    return { state, signalled: signals.exitCode }
  } finally {
    progress?.end()
    signals.stop()
    stopWaiting()
    process.off('beforeExit', endStuck)
  }
}

/** Prints the result, or what was thrown, and sets the exit code. */
export function tellEnd({ state, signalled }: End): void {
  if (state.type === 'COMPLETED') printResult(state.result)
  else if (signalled === undefined)
    process.stderr.write(`${thrownText(state.error, colorsOf(process.stderr).isColorSupported)}\n`)
  process.exitCode = signalled ?? (state.type === 'COMPLETED' ? process.exitCode : 1)
}

/** Closes the engine when its store could not be written for so long: then the run ends, and what is lost is told. */
function giveUpOnStore(engine: Engine, timeoutMs: number): () => void {
  const ms = Math.min(timeoutMs, longestTimer)
  let timer: NodeJS.Timeout | undefined
  const stop = engine.listen(({ type }) => {
    if (type === 'store-degraded') timer = setTimeout(() => void engine.close({ timeoutMs: 0 }).catch(() => {}), ms)
    else if (type === 'store-restored') clearTimeout(timer)
  })
  return () => {
    stop()
    clearTimeout(timer)
  }
}

/** Nothing is left that could go on. Without this, Node would end the process in silence, and the run would look alive. */
function cancelStuck(future: RunFuture<unknown>): void {
  const why = 'it waits for something that can never come'
  printError(new Failure(`Flow run '${future.name}' is stuck: ${why}.`))
  process.exitCode = 1
  void future.cancel(why)
}

function printResult(result: unknown): void {
  if (result === undefined) return
  printLine(
    isJson(result) ? JSON.stringify(result, undefined, 2) : inspect(result, { depth: 10, maxArrayLength: null }),
  )
}
