import type { LogLevel } from '../core/logger.js'

const methods = { debug: 'debug', info: 'log', warn: 'warn', error: 'error' } as const

/**
 * Prints here what a task has printed on its thread: by the console, as a task in this process would, so that whoever has
 * replaced it gets these lines too.
 */
export function print(level: LogLevel, text: string): void {
  try {
    console[methods[level]](text)
  } catch {
    // A console that throws is nobody's business here: the line is in the run's log.
  }
}
