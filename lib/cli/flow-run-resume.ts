import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { isMintakaError, MintakaError } from '../core/errors.js'
import type { FlowRun } from '../core/run.js'
import { type ResumeOptions, resumeFlow } from '../create-engine.js'
import { findBegunFlowRun } from './find-run.js'
import { loadFile } from './load/load.js'
import { pickFlow } from './load/pick.js'
import { choice } from './options.js'
import { Failure } from './print.js'
import { runToEnd, storeTimeoutOption, tellEnd } from './run-to-end.js'
import { readStore } from './store.js'

interface Options extends Pick<ResumeOptions, 'divergence' | 'code'> {
  readonly file?: string
  readonly storeTimeout: number
}

export function define(command: Command): void {
  addOptions(command).addHelpText('after', help).action(resume)
}

const help = `
What tasks of that run have completed is taken over, the rest runs, in a new flow run. It may be FAILED, CRASHED or
CANCELLED. Its flow is loaded from the file that defined it, and called with what it was called with.

Examples:
  $ mintaka flow-run resume eager-otter
  $ mintaka flow-run resume 9hx1k2 --divergence fail   fail before anything is done twice, if the code does other things
  $ mintaka flow-run resume 9hx1k2 --code same         do again what was done by code that has been edited since
  $ mintaka flow-run resume 9hx1k2 --file moved/etl.ts`

/** The arguments and options of both verbs that continue a flow run. */
export function addOptions(command: Command): Command {
  return command
    .argument('<run>', 'id of a flow run, or how its id begins, or its name')
    .option('--file <file>', 'the file that defines its flow, if it is not where it was')
    .addOption(choice('--divergence <policy>', 'when its calls are others', ['continue', 'fail']))
    .addOption(choice('--code <policy>', 'whose results are good', ['any', 'same']))
    .addOption(storeTimeoutOption())
}

async function resume(word: string, options: Options): Promise<void> {
  await continueRun(word, options)
}

/** Continues a flow run, unless `check` throws. */
export async function continueRun(
  word: string,
  { file: given, divergence, code, storeTimeout }: Options,
  check: (run: Readonly<FlowRun>) => void = () => {},
): Promise<void> {
  const { run } = await readStore(store => findBegunFlowRun(store, word))
  check(run)
  const flow = pickFlow(await loadFile(fileOf(run, given)), run.flowName)
  const end = await runToEnd(engine => resumeFlow(engine, run.id, flow, { divergence, code }), {
    storeTimeoutMs: storeTimeout * 1000,
  })
  const { state } = end
  if ('error' in state && isMintakaError(state.error, 'NOT_RESUMABLE')) throw state.error
  tellEnd(end)
}

function fileOf({ name, flowName, file }: Readonly<FlowRun>, given: string | undefined): string {
  const path = given ?? file
  const fix = 'Say which file defines it now: --file FILE.'
  if (path === undefined)
    throw new MintakaError('NOT_RESUMABLE', `Flow '${flowName}' of flow run '${name}' was defined in no file. ${fix}`)
  if (existsSync(path)) return path
  throw new Failure(
    given === undefined
      ? `Flow '${flowName}' was defined in ${path}, which is not there. ${fix}`
      : `There is no file ${path}.`,
  )
}
