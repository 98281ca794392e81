/**
 * The `console` of a worker. Node's own would send its lines by way of a stream that the main thread empties when it
 * gets to it: what a thread printed is lost when it exits, and late while it computes. So a line is formatted here, by a
 * Console of Node's, and posted at once, like a line of the log.
 */
import { Console } from 'node:console'
import { Writable } from 'node:stream'
import { isatty, WriteStream } from 'node:tty'
import { format } from 'node:util'
import type { LogLevel } from '../lib/core/logger.js'
import { type CallContext, currentCall, post } from './context.js'

type Method = (...args: unknown[]) => void

/** Makes every method of `target` print on the main thread, for the call whose code prints. */
export function printAtHome(target: Console): void {
  const ours = new Console({ stdout: home(1), stderr: home(2), ignoreErrors: false })
  const groups = new Groups(ours)
  const methods = Object.entries(ours).filter((entry): entry is [string, Method] => typeof entry[1] === 'function')
  for (const [name, method] of methods) {
    const print: Method = (...args) => {
      groups.before(name)
      as(name, () => method(...args))
    }
    Object.assign(target, { [name]: print })
  }
  // There is no terminal here to clear.
  target.clear = () => {}
  target.trace = (...args) => {
    // Node's own would begin with the frames of this file.
    const trace = Object.assign(new Error(format(...args)), { name: 'Trace' })
    Error.captureStackTrace(trace, target.trace)
    groups.before('trace')
    as('trace', () => ours.error(trace.stack))
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
  private readonly console: Console
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
