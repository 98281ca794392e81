import type { ChildProcess } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { clean } from '../print.js'

/** A line that is longer is passed on in pieces. */
const longestLine = 64 * 1024

const control = '\u001b'
/** The colours that a line has left on end with it. */
const plain = `${control}[0m`

/** Passes on what a process prints, line by line, each with `name` in front of it. */
export function passOnLines({ stdout, stderr }: ChildProcess, name: string): void {
  if (stdout) passOn(stdout, process.stdout, name)
  if (stderr) passOn(stderr, process.stderr, name)
}

/** Whole lines only: those of several processes do not mix. */
export function passOn(from: Readable, to: Writable, name: string): void {
  let rest = ''
  const whose = clean(name)
  const write = (line: string) => void to.write(`${whose} | ${line}${line.includes(control) ? plain : ''}\n`)
  from.setEncoding('utf8')
  from.on('data', (text: string) => {
    const lines = (rest + text).split(/\r?\n/)
    rest = lines.pop() ?? ''
    for (const line of lines) write(line)
    if (rest.length > longestLine) {
      write(rest)
      rest = ''
    }
  })
  from.on('end', () => {
    if (rest !== '') write(rest)
  })
  from.on('error', () => {}) // the process is gone, and its end is told by itself
}
