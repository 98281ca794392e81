import type { StateType } from './state.js'

/**
 * Which type of state may follow which. Every change of state in the program is one cell of this table;
 * `docs/STATES.md` draws it, and a test holds the two together.
 */
export const transitions = {
  SCHEDULED: ['SCHEDULED', 'PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED'], // to itself: Scheduled becomes Late
  PENDING: ['PENDING', 'SCHEDULED', 'RUNNING', 'COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED'], // to itself: NotReady; COMPLETED: Cached
  RUNNING: ['RUNNING', 'SCHEDULED', 'COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED'], // to itself: Cancelling; SCHEDULED: AwaitingRetry
  COMPLETED: [],
  FAILED: [],
  CRASHED: [],
  CANCELLED: [],
} as const satisfies Record<StateType, readonly StateType[]>

/** Whether the table allows a run to go from one type of state to another. */
export function mayFollow(from: StateType, to: StateType): boolean {
  return (transitions[from] as readonly StateType[]).includes(to)
}
