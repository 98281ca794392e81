/** Any object with these four methods: ours, `console`-like ones, pino's. */
export interface Logger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void
  info(message: string, fields?: Readonly<Record<string, unknown>>): void
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void
  error(message: string, fields?: Readonly<Record<string, unknown>>): void
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/** One line of a run's log. */
export interface LogEntry {
  readonly flowRunId: string
  readonly taskRunId?: string | undefined
  readonly level: LogLevel
  readonly message: string
  readonly fields?: Readonly<Record<string, unknown>> | undefined
  /** Epoch milliseconds, by the clock of where it was written. */
  readonly timestamp: number
}
