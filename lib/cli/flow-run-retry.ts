import type { Command } from 'commander'
import { MintakaError } from '../core/errors.js'
import type { FlowRun } from '../core/run.js'
import { addOptions, continueRun } from './flow-run-resume.js'

export function define(command: Command): void {
  addOptions(command)
    .addHelpText('after', help)
    .action((word: string, options: Parameters<typeof continueRun>[1]) => continueRun(word, options, mustHaveFailed))
}

const help = `
As resume, for a flow run that is FAILED: its tasks that have completed are taken over, the others run again.

Examples:
  $ mintaka flow-run ls --state failed
  $ mintaka flow-run retry eager-otter`

function mustHaveFailed({ name, state }: Readonly<FlowRun>): void {
  if (state.type === 'FAILED') return
  const fix =
    state.type === 'CRASHED' || state.type === 'CANCELLED'
      ? `mintaka flow-run resume ${name} continues it.`
      : 'Only what has failed can be tried again.'
  throw new MintakaError('NOT_RESUMABLE', `Flow run '${name}' is ${state.name}, not Failed. ${fix}`)
}
