/**
 * The `console` of a worker. Node's own would send its lines by way of a stream that the main thread empties when it
 * gets to it: what a thread printed is lost when it exits, and late while it computes. So a line is formatted here, by a
 * Console of Node's, and posted at once, like a line of the log.
 */
import type { Writable } from 'node:stream'
import { format } from 'node:util'
import type { LogLevel } from '../lib/core/logger.js'
import { type CallContext, currentCall, post } from './context.js'

type Method = (...args: unknown[]) => void

/**
 * Makes every method of `target` print on the main thread, for the call whose code prints. What that takes is loaded
 * with the first line: most threads never print one, and all would start later.
 */
export function printAtHome(target: Console): void {
  const { Console } = target
  let loaded: Groups | undefined
  const groups = (): Groups => {
    loaded ??= new Groups(new Console({ stdout: home(1), stderr: home(2), ignoreErrors: false }))
    return loaded
  }
  for (const name of Object.keys(Console.prototype) as (keyof Console)[]) {
    const print: Method = (...args) => {
      const own = groups()
      own.before(name)
      as(name, () => (own.console[name] as Method)(...args))
    }
    Object.assign(target, { [name]: print })
  }
  // There is no terminal here to clear.
  target.clear = () => {}
  target.trace = (...args) => {
    // Node's own would begin with the frames of this file.
    const trace = Object.assign(new Error(format(...args)), { name: 'Trace' })
    Error.captureStackTrace(trace, target.trace)
    const own = groups()
    own.before('trace')
    as('trace', () => own.console.error(trace.stack))
  }
}

/** The method that is printing. Its stream alone does not tell the level. */
let printing = ''

// What is printed may print in turn: `[util.inspect.custom]` is code like any other.
function as(name: string, print: () => void): void {
  const before = printing
  printing = name
  try {
    print()
  } finally {
    printing = before
  }
}

/** A stream that sends home what a Console writes to it, which is always whole lines. */
function home(fd: 1 | 2): Writable {
  const { Writable } = process.getBuiltinModule('node:stream')
  const { isatty, WriteStream } = process.getBuiltinModule('node:tty')
  const stream = new Writable({
    decodeStrings: false,
    write(text: string, _encoding, done) {
      say(levelOn(fd), text.endsWith('\n') ? text.slice(0, -1) : text)
      done()
    },
  })
  // A Console asks its stream for colours. These are the ones of the process: there is one stdout in it.
  const depth = WriteStream.prototype.getColorDepth()
  return Object.assign(stream, { isTTY: isatty(fd), getColorDepth: () => depth })
}

function levelOn(fd: 1 | 2): LogLevel {
  if (fd === 1) return printing === 'debug' ? 'debug' : 'info'
  return printing === 'error' ? 'error' : 'warn'
}

function say(level: LogLevel, text: string): void {
  const call = currentCall()
  if (call) call.printed(level, text)
  else post({ type: 'printed', n: 0, level, text, at: Date.now() })
}

/** The open groups of a console. They end with the call that opened them, or they would indent what others print. */
class Groups {
  readonly console: Console
  private owner: CallContext | undefined
  private depth = 0

  constructor(console: Console) {
    this.console = console
  }

  /** A method is about to be called. */
  before(name: string): void {
    const call = currentCall()
    if (call !== this.owner) this.end()
    this.owner = call
    if (name === 'group' || name === 'groupCollapsed') this.depth++
    else if (name === 'groupEnd' && this.depth > 0) this.depth--
  }

  private end(): void {
    for (; this.depth > 0; this.depth--) this.console.groupEnd()
  }
}
