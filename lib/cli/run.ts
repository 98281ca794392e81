import type { Command } from 'commander'
import type { ExecutorOption } from '../core/executor.js'
import type { Engine } from '../engine/engine.js'
import { definitionOf } from '../flow.js'
import { loadFile } from './load/load.js'
import { pickFlow } from './load/pick.js'
import { splitTarget } from './load/target.js'
import { choice } from './options.js'
import { type Params, paramsOption } from './params.js'
import { runToEnd, storeTimeoutOption, tellEnd } from './run-to-end.js'

interface Options {
  readonly params?: Params
  readonly storeTimeout: number
  readonly executor?: string
}

export function define(command: Command): void {
  command
    .argument('<file[:flow]>', 'a JavaScript or TypeScript file, and which of its flows, if it is not the one it calls')
    .addOption(paramsOption('the parameters of the flow'))
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

async function run(target: string, { params, executor, storeTimeout }: Options): Promise<void> {
  const { file, name } = splitTarget(target)
  const parameters = params ? [params.value] : []
  const found = pickFlow(await loadFile(file), name)
  const flow = executor === undefined ? found : found.with({ executor: await executors[executor]!() })
  const { definition, engine } = definitionOf(flow)!
  const start = (engine: Engine) => engine.start(definition, parameters).future
  tellEnd(await runToEnd(start, { engine, storeTimeoutMs: storeTimeout * 1000 }))
}
