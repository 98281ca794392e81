/** Any object with these four methods: ours, `console`-like ones, pino's. */
export interface Logger {
  /** What is of interest when something is looked for. */
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void
  /** What has happened, as it should. */
  info(message: string, fields?: Readonly<Record<string, unknown>>): void
  /** What should not have happened, and did no harm yet. */
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void
  /** What has failed. */
  error(message: string, fields?: Readonly<Record<string, unknown>>): void
}

/** From the least to the most important. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/** One line of a run's log. */
export interface LogEntry {
  /** The flow run that it belongs to. */
  readonly flowRunId: string
  /** The task run that wrote it; none: the flow itself did. */
  readonly taskRunId?: string | undefined
  /** How important it is. */
  readonly level: LogLevel
  /** What was said. */
  readonly message: string
  /** What was said with it: plain data. */
  readonly fields?: Readonly<Record<string, unknown>> | undefined
  /** Epoch milliseconds, by the clock of where it was written. */
  readonly timestamp: number
}
