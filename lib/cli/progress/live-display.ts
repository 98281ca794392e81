import { StringDecoder } from 'node:string_decoder'
import { Area } from './area.js'
import type { Size } from './layout.js'
import { OpenLine } from './open-line.js'
import type { TreeLine } from './pieces.js'

type Done = (error?: Error | null) => void

const redrawMs = 100

/** Whether something can be shown on a stream that changes. */
export function isLive(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && process.env['TERM'] !== 'dumb'
}

/**
 * Shows lines at the end of the terminal, drawn again and again, until `end` is called or the process ends. What is
 * written to stdout or stderr meanwhile goes above them at once.
 */
export class LiveDisplay {
  readonly #layOut: (size: Size) => readonly TreeLine[]
  readonly #area = new Area()
  readonly #openLine = new OpenLine()
  readonly #timer: NodeJS.Timeout
  readonly #write: (text: string, done?: Done) => boolean
  readonly #restore: (() => void)[] = []
  #tree: readonly TreeLine[] = []
  #isEnded = false

  constructor(layOut: (size: Size) => readonly TreeLine[]) {
    this.#layOut = layOut
    const write = process.stderr.write
    this.#write = (text, done) => write.call(process.stderr, text, 'utf8', done)
    for (const stream of [process.stdout, process.stderr]) if (stream.isTTY) this.#yieldTo(stream)
    // What has come by signal is known after the phase of timers: the size of the terminal, above all.
    this.#timer = setInterval(() => setImmediate(this.#redraw), redrawMs)
    this.#timer.unref()
    process.on('SIGCONT', this.#anew)
    // After the engine, which ends its runs when the process does: then that is what the last lines show.
    setImmediate(() => {
      if (!this.#isEnded) process.on('exit', this.#endWithProcess)
    })
  }

  /** Draws once more, and leaves it there. What is written from now on comes below. */
  end(): void {
    if (this.#isEnded) return
    this.#redraw()
    const rest = this.#openLine.end()
    if (rest !== '') this.#write(this.#area.above(`${rest}\n`, sizeOf(process.stderr)) + this.#drawn())
    this.#isEnded = true
    clearInterval(this.#timer)
    process.off('SIGCONT', this.#anew)
    process.off('exit', this.#endWithProcess)
    for (const restore of this.#restore) restore()
  }

  readonly #endWithProcess = () => this.end()

  readonly #redraw = () => {
    if (this.#isEnded) return
    const { columns, rows } = sizeOf(process.stderr)
    this.#tree = this.#layOut({ columns, rows: rows - 1 - this.#openLine.lines(columns).length })
    const text = this.#drawn()
    if (text !== '') this.#write(text)
  }

  /** The process was stopped, and a shell has written below the area. */
  readonly #anew = () => {
    this.#area.forget()
    this.#redraw()
  }

  #drawn(): string {
    const size = sizeOf(process.stderr)
    return this.#area.draw([...this.#openLine.lines(size.columns), ...this.#tree], size)
  }

  #yieldTo(stream: NodeJS.WriteStream): void {
    const original = stream.write
    const decoder = new StringDecoder()
    const above = (chunk: string | Uint8Array, ...rest: readonly (BufferEncoding | Done | undefined)[]): boolean => {
      const encoding = rest.find(each => typeof each === 'string')
      const done = rest.find(each => typeof each === 'function')
      const isPlainText = typeof chunk === 'string' && (encoding === undefined || /^utf-?8$/i.test(encoding))
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : Buffer.from(chunk)
      return this.#writeAbove(isPlainText ? chunk : decoder.write(bytes), done)
    }
    stream.write = above
    this.#restore.push(() => {
      if (stream.write === above) stream.write = original
    })
  }

  #writeAbove(text: string, done?: Done): boolean {
    const whole = this.#openLine.take(text)
    const size = sizeOf(process.stderr)
    return this.#write((whole === '' ? '' : this.#area.above(whole, size)) + this.#drawn(), done)
  }
}

function sizeOf({ columns, rows }: NodeJS.WriteStream): Size {
  return { columns: columns || 80, rows: rows || 24 }
}
