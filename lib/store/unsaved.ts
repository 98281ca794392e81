import type { TaskRun } from '../core/run.js'
import { readBatch } from './lines/batch-reader.js'
import { parseLine } from './lines/line.js'

/** How many runs are named. */
const maxNamed = 5

/**
 * Says of lines of a journal that could not be saved how many they are and which runs they are about. `nameOf` knows the
 * names of flow runs whose own line has been saved. `undefined`: none but the last line, which is about no run.
 */
export function describeUnsaved(
  lines: readonly Buffer[],
  nameOf: (flowRunId: string) => string | undefined,
): string | undefined {
  const runs = new Runs(nameOf)
  let count = 0
  for (const bytes of lines)
    for (const text of bytes.toString().split('\n')) {
      if (text === '' || text.startsWith('{"c":')) continue
      count += 1
      runs.read(text)
    }
  if (count === 0) return undefined
  return `${count} ${count === 1 ? 'line' : 'lines'} could not be saved${runs.sentence()}.`
}

/** The runs that lines are about, flow runs first, with their names as far as those are known. */
class Runs {
  readonly #nameOf: (flowRunId: string) => string | undefined
  readonly #flowRuns = new Map<string, string | undefined>()
  readonly #taskRuns = new Map<string, string | undefined>()

  constructor(nameOf: (flowRunId: string) => string | undefined) {
    this.#nameOf = nameOf
  }

  read(text: string): void {
    const fields = parseLine(text)?.fields
    if (!fields) return
    const { b, f, t, s, u, l, run, name } = fields
    if (b !== undefined) this.#readBatch(text, b)
    else if (t !== undefined && l === undefined) this.#taskRuns.set(t, name)
    else if (f !== undefined) this.#flowRuns.set(f, typeof run === 'object' ? run.name : undefined)
    else if (s !== undefined) this.#addFlowRun(s)
    else if (u !== undefined) this.#addTaskRun(u)
    else if (l !== undefined) this.#addFlowRun(l)
  }

  sentence(): string {
    const named = [
      ...[...this.#flowRuns].map(([id, name]) => shown('flow run', id, name)),
      ...[...this.#taskRuns].map(([id, name]) => shown('task run', id, name)),
    ]
    if (named.length === 0) return ''
    const more = named.length > maxNamed ? ` and ${named.length - maxNamed} more` : ''
    return `, of ${named.length} ${named.length === 1 ? 'run' : 'runs'}: ${named.slice(0, maxNamed).join(', ')}${more}`
  }

  #readBatch(text: string, flowRunId: string): void {
    readBatch(text, {
      created: (_number: number, { id, name }: TaskRun) => void this.#taskRuns.set(id, name),
      entered: number => this.#addTaskRun(`${flowRunId}-${number}`),
    })
  }

  #addFlowRun(id: string): void {
    if (!this.#flowRuns.has(id)) this.#flowRuns.set(id, this.#nameOf(id))
  }

  #addTaskRun(id: string): void {
    if (!this.#taskRuns.has(id)) this.#taskRuns.set(id, undefined)
  }
}

function shown(kind: string, id: string, name: string | undefined): string {
  return name === undefined ? `${kind} ${id}` : `${kind} '${name}' (${id})`
}
