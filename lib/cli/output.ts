import { fstatSync, writeSync } from 'node:fs'

/**
 * What becomes of a command when what it prints goes nowhere. Where whoever read it has gone (`mintaka flow-run ls | head -1`), one
 * that only tells something ends, quietly; one that does something goes on without, and nothing that it runs notices. What
 * stdout cannot take for another reason, a full disk above all, is told on stderr, and the exit code is not 0.
 */
export function careForOutput(): void {
  careFor(process.stdout, 1)
  careFor(process.stderr, 2)
}

/** From now on the command does something: it is not over when nobody reads any more what it prints. */
export function goOnUnread(): void {
  goesOn = true
}

/** The exit code, given that of what the command did: with a part of its output lost it did not go well. */
export function exitCodeAfter(code: number): number {
  return isCut && code === 0 ? 1 : code
}

let goesOn = false
let isCut = false

type Written = (error?: Error | null) => void

/**
 * Below what streams do, where each piece is written: so a user's code that waits for its output, or pipes something to it,
 * is not told of an error either.
 */
function careFor(stream: NodeJS.WriteStream, fd: number): void {
  const write = isFile(fd) ? writeToFile(fd) : stream._write
  const { _writev: writeAll } = stream
  let isUnread = false
  const after = (done: Written): Written => {
    return error => {
      if (error && isGone(error, stream.isTTY)) {
        isUnread = true
        if (!goesOn) process.exit()
      } else if (error && stream === process.stdout) tellLoss(error)
      done()
    }
  }
  stream._write = (chunk, encoding, done) => {
    if (isUnread) done()
    else write.call(stream, chunk, encoding, after(done))
  }
  if (!writeAll) return
  stream._writev = (chunks, done) => {
    if (isUnread) done()
    else writeAll.call(stream, chunks, after(done))
  }
}

function tellLoss({ message }: Error): void {
  if (isCut) return
  isCut = true
  process.stderr.write(`error: What is printed cannot be written to stdout: ${message}.\n`, () => {
    if (!goesOn) process.exit(1)
  })
}

/** A disk that has room for a part takes that part, and says no more than how much it was; Node does not look. */
function writeToFile(fd: number): NodeJS.WriteStream['_write'] {
  return (chunk: Buffer, _, done) => {
    try {
      for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at)
    } catch (error) {
      return done(error as Error)
    }
    done()
  }
}

function isFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile()
  } catch {
    return false // what Node can print to, it can
  }
}

/** A terminal that was closed answers with EIO. */
function isGone({ code }: NodeJS.ErrnoException, isTerminal: boolean): boolean {
  return code === 'EPIPE' || code === 'ECONNRESET' || (isTerminal && code === 'EIO')
}
