import { format } from 'node:util'

export type Level = 'info' | 'warning' | 'error'

/** How many lines are remembered. */
const longest = 1000

/** What a worker says about itself: on stderr, and to those who ask for its log. */
export class WorkerLog {
  private readonly lines: (readonly [string, string])[] = []
  private readonly write: (line: string) => void

  constructor(write: (line: string) => void = line => void process.stderr.write(`${line}\n`)) {
    this.write = write
  }

  say(level: Level, message: string, ...details: unknown[]): void {
    const line = `${new Date().toISOString()} ${level}: ${details.length > 0 ? format(message, ...details) : message}`
    this.lines.push([level.toUpperCase(), line])
    if (this.lines.length > longest) this.lines.shift()
    this.write(line)
  }

  /** As Dask's `get_logs` gives them: newest first. */
  latest(count = longest): (readonly [string, string])[] {
    return this.lines.slice(-count).reverse()
  }
}
