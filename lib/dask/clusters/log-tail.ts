// Enough for a Python traceback with what came before it.
const maxLines = 60
const maxLineLength = 1000

/** What a process said last: whole lines, of a bounded number and length, however much it says. */
export class LogTail {
  readonly #lines: string[] = []

  /** Takes the text of one stream as it comes. */
  reader(): (text: string) => void {
    return lineReader(line => this.#add(line), maxLineLength)
  }

  /** Oldest first. */
  text(): string {
    return this.#lines.join('\n').trim()
  }

  #add(line: string): void {
    this.#lines.push(line)
    if (this.#lines.length > maxLines) this.#lines.shift()
  }
}

/** Makes lines of text that comes in pieces; of a line that is longer than the limit, its beginning. */
export function lineReader(onLine: (line: string) => void, maxLength: number): (text: string) => void {
  let rest = ''
  return text => {
    const lines = (rest + text).split('\n')
    rest = (lines.pop() ?? '').slice(0, maxLength)
    for (const line of lines) onLine(line.slice(0, maxLength).trimEnd())
  }
}
