import type { LogEntry } from '../core/logger.js'
import type { FlowRun, Run, TaskRun } from '../core/run.js'
import { isSettled, isTerminal, type State } from '../core/state.js'
import type { Ack, StateOptions, StoreSurroundings } from '../core/store.js'
import { callRecord } from '../core/task-calls.js'
import { fileName } from './files.js'
import { Batch } from './journal/batch.js'
import { Journal } from './journal/journal.js'
import type { SegmentsOptions } from './journal/segments.js'
import { flowRunLine } from './lines/flow-run-line.js'
import { closedLine, format, headerLine } from './lines/line.js'
import type { ValueCodec } from './lines/line-values.js'
import { logLine } from './lines/log-line.js'
import { stateLine } from './lines/state-line.js'
import { taskRunLine } from './lines/task-run-line.js'
import { thisProcess } from './process-id.js'
import { describeUnsaved } from './unsaved.js'

export interface WritingOptions
  extends Pick<StoreSurroundings, 'owner' | 'warn' | 'onDegraded'>,
    Pick<SegmentsOptions, 'durability' | 'segmentBytes'> {
  /** Where journals are. */
  readonly folder: string
  readonly codec: ValueCodec
  /** The journal of that name goes on in another file, and flow runs have ended in those before. */
  readonly onEnded: (journal: string) => void
}

/** Keeps what happens to the runs of this process: one journal, from the opening of the store to its end. */
export class Writing {
  readonly #journal: Journal
  /** What goes into the journal by the batch. */
  readonly #batch: Batch
  readonly #codec: ValueCodec
  /** Flow runs whose end has not been saved. */
  readonly #open = new Map<string, FlowRun>()
  /** Flow runs that have ended since the journal was looked at for what may leave it. */
  #ended = 0

  constructor(options: WritingOptions) {
    this.#codec = options.codec
    this.#journal = this.#newJournal(options)
    this.#batch = new Batch(this.#journal, options.codec)
  }

  get degraded(): Promise<void> | undefined {
    return this.#journal.degraded
  }

  createFlowRun(run: FlowRun, parameters: unknown): Ack {
    const journal = this.#journal
    this.#open.set(run.id, run)
    journal.append(flowRunLine(run, journal.next(), this.#codec, parameters))
    return journal.acknowledged()
  }

  createTaskRun(run: TaskRun): Ack {
    const journal = this.#journal
    const call = callRecord(run)
    if (!(call && this.#batch.create(call))) journal.append(taskRunLine(run, journal.next(), this.#codec))
    return isSettled(run.state) ? journal.acknowledged() : undefined
  }

  appendState(run: Run, state: State, options: StateOptions | undefined): Ack {
    const journal = this.#journal
    const persist = options?.persist !== false
    const call = callRecord(run)
    if (!(call && this.#batch.enter(call, state, persist)))
      journal.append(stateLine(run, journal.next(), state, this.#codec, persist, options?.parameters))
    if (run.kind === 'flow-run' && isTerminal(state)) this.#ended += 1
    // The others need no write of their own: they only have to come first in the file.
    if (!isSettled(state)) return undefined
    const ack = journal.acknowledged()
    if (run.kind === 'flow-run') this.#forget(run.id, ack)
    return ack
  }

  appendLog(entry: LogEntry): void {
    const journal = this.#journal
    if (!journal.leaveOut()) journal.append(logLine(entry, journal.next(), this.#codec))
  }

  /** Writes what waits, unless that fails at present. */
  flush(): void {
    this.#journal.flush()
  }

  /** Writes what waits, and that nothing follows. `abandoned`: nobody carries on what goes on. Rejects with what is lost. */
  async close(abandoned: boolean): Promise<void> {
    await this.#journal.close(seq => closedLine(seq, Date.now(), abandoned ? this.#openRuns : 0))
  }

  /** The same at once, as far as it can be. */
  leave(): void {
    try {
      this.#journal.leave(seq => closedLine(seq, Date.now()))
    } catch {
      // What is not in the journal now is lost with the process.
    }
  }

  /** How many flow runs go on. */
  get #openRuns(): number {
    return [...this.#open.values()].filter(({ state }) => !isSettled(state) && state.name !== 'Scheduled').length
  }

  /** Once its end is saved, nobody will have to be told that it is not. */
  #forget(id: string, ack: Ack): void {
    const forget = () => void this.#open.delete(id)
    if (ack) ack.then(forget, () => {})
    else forget()
  }

  #newJournal({ folder, owner, durability, segmentBytes, warn, onDegraded, onEnded }: WritingOptions): Journal {
    const created = Date.now()
    return new Journal({
      folder,
      name: fileName(owner),
      header: (journal, segment) => headerLine({ format, owner, process: thisProcess(), created, journal, segment }),
      durability,
      segmentBytes,
      onSegment: journal => {
        if (this.#ended === 0) return
        this.#ended = 0
        onEnded(journal)
      },
      warn,
      onDegraded,
      describe: lines => describeUnsaved(lines, id => this.#open.get(id)?.name),
    })
  }
}
