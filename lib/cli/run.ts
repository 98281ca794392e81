import { existsSync, statSync } from 'node:fs'
import { inspect } from 'node:util'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { asError } from '../core/errors.js'
import type { ExecutorOption } from '../core/executor.js'
import type { RunFuture } from '../core/future.js'
import type { SettledState } from '../core/state.js'
import { defaultMaxFlowDepth } from '../default-engine.js'
import { Engine } from '../engine/engine.js'
import { levelFromEnvironment, stderrLogger } from '../engine/logger.js'
import { realSurroundings } from '../engine/surroundings.js'
import { definitionOf } from '../flow.js'
import { JsonStore } from '../store/json.js'
import { isJson } from './as-json.js'
import { type AnyFlow, loadFile } from './load/load.js'
import { pickFlow } from './load/pick.js'
import { colorsOf, Failure, printLine } from './print.js'
import { printError, thrownText } from './print-error.js'
import { showProgress } from './progress.js'
import { cancelOnSignals } from './signals.js'

interface Options {
  readonly params?: string
  readonly storeTimeout: number
  readonly executor?: string
}

export function define(command: Command): void {
  command
    .argument('<file[:flow]>', 'a JavaScript or TypeScript file, and which of its flows, if it is not the one it calls')
    .option('--params <json>', 'the parameters of the flow')
    .addOption(new Option('--executor <name>', 'where its tasks run').choices(Object.keys(executors)))
    .option('--store-timeout <seconds>', 'how long to wait for a store that cannot be written', seconds, 30)
    .addHelpText('after', help)
    .action(run)
}

function seconds(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= 0) return value
  throw new InvalidArgumentError('It is a number of seconds.')
}

const help = `
The file is loaded for its flows: what it runs by itself at its top level does not run.
The result is printed on stdout, as JSON if JSON can hold it; all else goes to stderr.

Examples:
  $ mintaka run report.ts                     the flow that report.ts calls, or its only one
  $ mintaka run report.ts:monthly --params '{"year":2026,"month":10}'
  $ mintaka run report.ts --executor sequential`

const executors: Readonly<Record<string, () => Promise<ExecutorOption>>> = {
  sequential: async () => (await import('../executors/sequential.js')).SequentialExecutor,
  concurrent: async () => (await import('../executors/concurrent.js')).ConcurrentExecutor,
  parallel: async () => (await import('../executors/parallel.js')).ParallelExecutor,
  dask: async () => (await import('../executors/dask/dask.js')).DaskExecutor,
}

async function run(target: string, { params, executor, storeTimeout }: Options, command: Command): Promise<void> {
  const { file, name } = splitTarget(target)
  const parameters = params === undefined ? [] : [parse(params, command)]
  const found = pickFlow(await loadFile(file), name)
  const flow = executor === undefined ? found : found.with({ executor: await executors[executor]!() })
  const { state, signalled } = await runToEnd(flow, parameters, storeTimeout * 1000)
  if (state.type === 'COMPLETED') printResult(state.result)
  else if (signalled === undefined)
    process.stderr.write(`${thrownText(state.error, colorsOf(process.stderr).isColorSupported)}\n`)
  process.exitCode = signalled ?? (state.type === 'COMPLETED' ? process.exitCode : 1)
}

/** The file, and what stands behind its colon; either may hold colons itself. */
function splitTarget(target: string): { file: string; name?: string } {
  for (let at = target.length; at > 0; at = target.lastIndexOf(':', at - 1)) {
    const file = target.slice(0, at)
    if (!existsSync(file)) continue
    if (!statSync(file).isFile()) throw new Failure(`${file} is not a file.`)
    return at === target.length ? { file } : { file, name: target.slice(at + 1) }
  }
  throw new Failure(`There is no file ${target}.`)
}

function parse(json: string, command: Command): unknown {
  try {
    return JSON.parse(json) as unknown
  } catch (error) {
    return command.error(`error: --params is not JSON: ${asError(error).message}`)
  }
}

/** Runs the flow on its own engine, if it names one, else on one with the store of the CLI. */
async function runToEnd(flow: AnyFlow, parameters: readonly unknown[], storeTimeoutMs: number) {
  const found = definitionOf(flow)!
  const isLive = process.stderr.isTTY
  const engine = found.engine ?? cliEngine(isLive)
  await engine.ready
  const progress = isLive ? await showProgress(engine) : undefined
  const { future } = engine.start(found.definition, parameters)
  const endStuck = () => cancelStuck(future)
  process.once('beforeExit', endStuck)
  const signals = cancelOnSignals(future)
  const stopWaiting = giveUpOnStore(engine, storeTimeoutMs)
  try {
    const state: SettledState = await future.wait()
    await engine.close()
    return { state, signalled: signals.exitCode }
  } finally {
    progress?.end()
    signals.stop()
    stopWaiting()
    process.off('beforeExit', endStuck)
  }
}

function cliEngine(isLive: boolean): Engine {
  return new Engine({
    store: new JsonStore(),
    logger: stderrLogger(levelFromEnvironment() ?? (isLive ? 'warn' : 'info')), // a live display tells what info would
    surroundings: realSurroundings,
    maxFlowDepth: defaultMaxFlowDepth,
  })
}

/** Closes the engine when its store could not be written for so long: then the run ends, and what is lost is told. */
function giveUpOnStore(engine: Engine, ms: number): () => void {
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
