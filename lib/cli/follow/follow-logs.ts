import type { LogEntry } from '../../core/logger.js'
import { type Progress, progressOf } from './follow-run.js'
import { type FollowedStore, Walk } from './walk.js'

/** A line of a log, with the names of the runs that it is about. */
export interface LogLine extends LogEntry {
  readonly flowRunName: string
  readonly taskRunName?: string | undefined
}

/** Reads the log of a flow run and of its subflow runs. Each look gives the lines that have come since, by time. */
export class LogFollower {
  readonly #store: FollowedStore
  readonly #walk: Walk
  /** How many lines of each flow run have been given. */
  readonly #given = new Map<string, number>()

  constructor(store: FollowedStore, flowRunId: string) {
    this.#store = store
    this.#walk = new Walk(store, flowRunId)
  }

  async look(): Promise<{ readonly lines: readonly LogLine[]; readonly progress: Progress }> {
    const lines: LogLine[] = []
    const top = await this.#walk.visit({
      enter: async ({ run }, taskRuns) => {
        const entries = await this.#store.listLogs(run.id)
        const names = new Map(taskRuns.map(({ run: { id, name } }) => [id, name]))
        for (const entry of entries.slice(this.#given.get(run.id))) {
          const taskRunName =
            entry.taskRunId === undefined ? undefined : (names.get(entry.taskRunId) ?? entry.taskRunId)
          lines.push({ ...entry, flowRunName: run.name, taskRunName })
        }
        this.#given.set(run.id, entries.length)
      },
    })
    lines.sort((a, b) => a.timestamp - b.timestamp)
    return { lines, progress: progressOf(top) }
  }
}
