import { existsSync, statSync } from 'node:fs'
import type { Command } from 'commander'
import { asError } from '../core/errors.js'
import type { ExecutorOption } from '../core/executor.js'
import type { Engine } from '../engine/engine.js'
import { definitionOf } from '../flow.js'
import { loadFile } from './load/load.js'
import { pickFlow } from './load/pick.js'
import { nearFiles } from './near-files.js'
import { choice } from './options.js'
import { Failure } from './print.js'
import { runToEnd, storeTimeoutOption, tellEnd } from './run-to-end.js'

interface Options {
  readonly params?: string
  readonly storeTimeout: number
  readonly executor?: string
}

export function define(command: Command): void {
  command
    .argument('<file[:flow]>', 'a JavaScript or TypeScript file, and which of its flows, if it is not the one it calls')
    .option('--params <json>', 'the parameters of the flow')
    .addOption(choice('--executor <name>', 'where its tasks run', Object.keys(executors)))
    .addOption(storeTimeoutOption())
    .addHelpText('after', help)
    .action(run)
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
  const { definition, engine } = definitionOf(flow)!
  const start = (engine: Engine) => engine.start(definition, parameters).future
  tellEnd(await runToEnd(start, { engine, storeTimeoutMs: storeTimeout * 1000 }))
}

/** The file, and what stands behind its colon; either may hold colons itself. */
function splitTarget(target: string): { file: string; name?: string } {
  for (let at = target.length; at > 0; at = target.lastIndexOf(':', at - 1)) {
    const file = target.slice(0, at)
    if (!existsSync(file)) continue
    if (!statSync(file).isFile()) throw new Failure(`${file} is not a file.`)
    return at === target.length ? { file } : { file, name: target.slice(at + 1) }
  }
  throw new Failure(`There is no file ${target}.${nearFiles(target)}`)
}

function parse(json: string, command: Command): unknown {
  try {
    return JSON.parse(json) as unknown
  } catch (error) {
    return command.error(`error: --params is not JSON: ${asError(error).message}`)
  }
}
