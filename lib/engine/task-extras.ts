import type { MintakaError } from '../core/errors.js'
import type { Inputs } from './inputs.js'
import type { UpstreamCalls } from './joining.js'
import type { KnownResults } from './known-results.js'
import { Pause } from './pause.js'
import type { Turn } from './turn.js'

/** What most task runs do without: those of small constants that are attempted once and never stopped. */
export class TaskExtras {
  /** Its arguments as they were at the call, futures still in place; none for small constants, which its record has. */
  inputs: Inputs | undefined
  known: KnownResults | undefined
  /** What it was called with cannot be told from other things: that was found out already. */
  hasNoKey = false
  readonly waits = new Pause()
  /** Calls that its executor was given, and that it may be given this run together with. */
  upstream: UpstreamCalls | undefined
  /** When the next attempt may begin: after a retry delay, or when a rule said WAIT. */
  notBefore: number | undefined
  cancelled: MintakaError | undefined
  timedOut: MintakaError | undefined
  /** On executors that give turns. */
  turn: Turn | undefined
  /** The next attempt waits for the body of one that ran out of time: there is one turn, and that body has it. */
  waitsForBody = false
}
