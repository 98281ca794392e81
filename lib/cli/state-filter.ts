import type { Command } from 'commander'
import { didYouMean } from '../core/nearest.js'
import type { StateName, StateType } from '../core/state.js'

/** Every name of a state by its type. The compiler sees to it that none is missing. */
const namesByType = {
  SCHEDULED: ['Scheduled', 'Late', 'AwaitingRetry'],
  PENDING: ['Pending', 'NotReady'],
  RUNNING: ['Running', 'Retrying', 'Cancelling'],
  COMPLETED: ['Completed', 'Cached'],
  FAILED: ['Failed', 'TimedOut'],
  CRASHED: ['Crashed'],
  CANCELLED: ['Cancelled'],
} as const satisfies Record<StateType, readonly StateName[]>

type Missing = Exclude<StateName, (typeof namesByType)[StateType][number]>
const nothingForgotten: [Missing] extends [never] ? true : never = true
void nothingForgotten

/** Every word that a state may be asked for by, in small letters. */
export const stateWords: readonly string[] = [
  ...new Set(Object.entries(namesByType).flatMap(([type, names]) => [type, ...names].map(word => word.toLowerCase()))),
]

/** States as they were asked for, by type or name in any case. A word that is none is a mistake of usage. */
export function checkStates(states: readonly string[], command: Command): void {
  const unknown = states.find(state => !stateWords.includes(state.toLowerCase()))
  if (unknown === undefined) return
  const list = Object.entries(namesByType).map(([type, names]) => `  ${type.padEnd(9)}  ${names.join(', ')}`)
  command.error(
    `error: there is no state '${unknown}'.${didYouMean(unknown, stateWords)} Types, and their names:\n${list.join('\n')}`,
  )
}
