import { type Logger, type LogLevel, logLevels } from '../core/logger.js'

/** A logger that drops what is below a level. Asking `enabled` first keeps a line that nobody reads from being built. */
export interface LeveledLogger extends Logger {
  enabled(level: LogLevel): boolean
}

/** Lines on stderr: `HH:MM:SS.mmm | LEVEL | message | fields`. */
export function stderrLogger(level: LogLevel | 'silent'): LeveledLogger {
  const line = (level: LogLevel) => (message: string, fields?: Readonly<Record<string, unknown>>) => {
    process.stderr.write(`${formatLine(level, message, fields)}\n`)
  }
  return atLevel({ debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }, level)
}

/** `logger`, without what is below `level`. What it throws is swallowed: a line of a log must not change a run. */
export function atLevel(logger: Logger, level: LogLevel | 'silent'): LeveledLogger {
  const rank = level === 'silent' ? logLevels.length : logLevels.indexOf(level)
  const passing = new Set(logLevels.slice(rank))
  const enabled = (asked: LogLevel) => passing.has(asked)
  const pass = (level: LogLevel): Logger['info'] => {
    if (!enabled(level)) return () => {}
    return (message, fields) => {
      try {
        if (isPino(logger)) logger[level](fields ?? {}, message)
        else logger[level](message, fields)
      } catch {}
    }
  }
  return { enabled, debug: pass('debug'), info: pass('info'), warn: pass('warn'), error: pass('error') }
}

type PinoMethod = (fields: object, message: string) => void

/** pino and its kin take the fields first, and would drop them in second place. */
function isPino(logger: object): logger is Record<LogLevel, PinoMethod> {
  return 'bindings' in logger && 'child' in logger
}

/** The level in `MINTAKA_LOG`, if there is a legal one. */
export function levelFromEnvironment(): LogLevel | 'silent' | undefined {
  const word = process.env['MINTAKA_LOG']?.toLowerCase()
  return word === 'silent' ? word : logLevels.find(level => level === word)
}

/** One line of a log, for people. */
export function formatLine(
  level: LogLevel,
  message: string,
  fields?: Readonly<Record<string, unknown>>,
  at = Date.now(),
): string {
  const time = new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(11, 23)
  return `${time} | ${level.toUpperCase().padEnd(5)} | ${message}${fieldsText(fields)}`
}

/** What stands behind the message of a line: ` key=value` for each. */
export function fieldsText(fields: Readonly<Record<string, unknown>> = {}): string {
  return Object.entries(fields)
    .map(([key, value]) => ` ${key}=${show(value)}`)
    .join('')
}

function show(value: unknown): string {
  if (value instanceof Error) return `\n${value.stack ?? value.message}`
  if (typeof value === 'string') return /\s/.test(value) ? JSON.stringify(value) : value
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return String(value)
  }
}
