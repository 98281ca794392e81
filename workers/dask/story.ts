/** One change of the state of a key. */
export interface StoryLine {
  readonly key: string
  readonly from: string
  readonly to: string
  /** The type of the stimulus that caused it. */
  readonly because: string
}

/** How many changes are remembered. */
const longest = 1000

/** What happened of late: for the error that says that something cannot be, and for whoever asks. */
export class Story {
  readonly #lines: StoryLine[] = []
  #next = 0
  #because = ''

  /** What is added from now on has this cause. */
  because(stimulus: string): void {
    this.#because = stimulus
  }

  add(key: string, from: string, to: string): void {
    if (from === to) return
    this.#lines[this.#next] = { key, from, to, because: this.#because }
    this.#next = (this.#next + 1) % longest
  }

  /** Oldest first. */
  of(keys?: readonly string[]): StoryLine[] {
    const lines = [...this.#lines.slice(this.#next), ...this.#lines.slice(0, this.#next)]
    return keys ? lines.filter(({ key }) => keys.includes(key)) : lines
  }
}
