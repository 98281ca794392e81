import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileName, namesIn } from './files.js'
import { type Catalogue, emptyCatalogue, readCatalogue, type Segment } from './history/catalogue.js'
import { indexLinesOf } from './history/history-index.js'
import { journalsOf } from './journal/journal-files.js'
import { JournalReader } from './journal/journal-reader.js'
import { headerOf } from './journal/journal-state.js'
import { readBatch } from './lines/batch-reader.js'
import { parseLine } from './lines/line.js'
import { flowRunIdOf, keyOf, keys, textOf, unquoted } from './lines/line-bytes.js'
import type { RawLine } from './lines/scan.js'
import { type Damage, scanWholeLines } from './lines/whole-lines.js'

/** Something in a store that is not as it should be. */
export interface Problem {
  readonly path: string
  /** At which byte of the file. */
  readonly offset?: number | undefined
  readonly problem: string
}

export interface Verified {
  readonly lines: number
  readonly flowRuns: number
  readonly resultFiles: number
  readonly problems: readonly Problem[]
}

/** Reads all of a store and compares what should agree: lines with their seals, index with history, results with their names. */
export async function verifyStore(folder: string): Promise<Verified> {
  const verification = new Verification(folder)
  await verification.run()
  return verification
}

class Verification implements Verified {
  lines = 0
  flowRuns = 0
  resultFiles = 0
  readonly problems: Problem[] = []
  readonly #folder: string
  readonly #checkedResults = new Set<string>()

  constructor(folder: string) {
    this.#folder = folder
  }

  async run(): Promise<void> {
    const catalogue = this.#catalogue()
    for (const segment of catalogue.segments) await this.#segment(segment)
    await this.#journals(catalogue)
    this.#results()
    for (const name of namesIn(join(this.#folder, 'cache'))) this.#entry(join(this.#folder, 'cache', name), 'k')
    for (const name of namesIn(join(this.#folder, 'claims'))) this.#entry(join(this.#folder, 'claims', name), 'key')
  }

  #catalogue(): Catalogue {
    const path = join(this.#folder, 'catalogue.json')
    const { catalogue, damaged } = readCatalogue(path)
    const hasHistory = namesIn(join(this.#folder, 'history')).length > 0
    if (damaged) this.problems.push({ path, problem: 'the catalogue is damaged: mintaka store rebuild makes it anew' })
    else if (!catalogue && hasHistory)
      this.problems.push({ path, problem: 'the catalogue is missing: mintaka store rebuild makes it anew' })
    return catalogue ?? emptyCatalogue()
  }

  async #segment(segment: Segment): Promise<void> {
    const path = join(this.#folder, 'history', `${segment.name}.ndjson`)
    if (!this.#isLongEnough(path, segment.bytes)) return
    await scanWholeLines(path, 0, line => this.#line(path, line), {
      until: segment.bytes,
      onDamage: damage => this.#damaged(damage),
    })
    await this.#index(path, segment)
  }

  /** Every line of the index must be one that the history gives. */
  async #index(history: string, segment: Segment): Promise<void> {
    const path = join(this.#folder, 'index', `${segment.index}.ndjson`)
    if (!this.#isLongEnough(path, segment.indexBytes)) return
    const known = new Set<string>()
    await indexLinesOf(
      history,
      { from: 0, until: segment.bytes, mc: segment.mc },
      () => {},
      ({ i, at, bytes, is, late }) => {
        known.add(`${i} ${at} ${bytes} ${is} ${late === true}`)
        return true
      },
    )
    let runs = 0
    const visit = (line: RawLine): undefined => {
      this.lines += 1
      const { i, at, bytes, is, late } = JSON.parse(textOf(line)) as Record<string, unknown>
      if (!late) runs += 1
      if (!known.has(`${i} ${at} ${bytes} ${is} ${late === true}`))
        this.problems.push({ path, offset: line.offset, problem: `flow run ${i} is not in the history as this says` })
    }
    const onDamage = (damage: Damage) => this.#damaged(damage)
    await scanWholeLines(path, 0, visit, { until: segment.indexBytes, onDamage })
    this.flowRuns += runs
    if (runs !== segment.runs)
      this.problems.push({ path, problem: `it has ${runs} flow runs, and the catalogue says ${segment.runs}` })
  }

  #isLongEnough(path: string, bytes: number): boolean {
    const size = statSync(path, { throwIfNoEntry: false })?.size
    if (size === undefined) this.problems.push({ path, problem: 'the file is missing' })
    else if (size < bytes) this.problems.push({ path, offset: size, problem: `${bytes - size} bytes are missing` })
    return size !== undefined
  }

  async #journals({ folded }: Catalogue): Promise<void> {
    const path = join(this.#folder, 'journals')
    for (const files of journalsOf(namesIn(path)).values()) {
      const its = folded.filter(({ journal }) => journal === files.name)
      const created = (await headerOf(path, files))?.created ?? 0
      const same = its.filter(each => each.created === created)
      if (same.some(({ upTo }) => upTo === undefined)) continue
      const reader = new JournalReader(path, files.name, Math.max(0, ...same.map(({ upTo }) => upTo ?? 0)))
      await reader.refresh(files)
      for (const damage of reader.damage) this.#damaged(damage)
      for (const { isStray } of reader.flowRuns.values()) if (!isStray) this.flowRuns += 1
      await reader.scan()(line => this.#line(join(path, files.name), line))
    }
  }

  #damaged({ path, offset, bytes }: Damage): void {
    this.problems.push({ path, offset, problem: `${bytes} bytes are damaged` })
  }

  /** A line whose seal is whole: it must make sense, and what it speaks of must be there. */
  #line(path: string, line: RawLine): undefined {
    this.lines += 1
    const { offset } = line
    const text = textOf(line)
    const key = keyOf(line)
    if (key === keys.batch) {
      const nothing = { created: () => {}, entered: () => {} }
      if (!readBatch(text, nothing)) this.problems.push({ path, offset, problem: 'the columns of a batch do not fit' })
      const names = (JSON.parse(text) as { C?: { f?: readonly string[] } }).C?.f ?? []
      for (const name of names) this.#needs(unquoted(flowRunIdOf(line)), name, path, offset)
      return
    }
    const fields = parseLine(text)?.fields
    if (!fields) this.problems.push({ path, offset, problem: 'this is not a line of JSON' })
    for (const name of [fields?.file, fields?.pf])
      if (name !== undefined) this.#needs(unquoted(flowRunIdOf(line)), name, path, offset)
  }

  #needs(flowRunId: string, name: string, path: string, offset: number): void {
    const file = join(this.#folder, 'results', 'of', fileName(flowRunId), `${name}.json`)
    if (statSync(file, { throwIfNoEntry: false }) === undefined)
      this.problems.push({ path, offset, problem: `the result is missing that should be in ${file}` })
  }

  /** The name of a file with a result is the hash of what is in it. */
  #results(): void {
    for (const kind of ['pool', 'of', 'cached'])
      for (const owner of namesIn(join(this.#folder, 'results', kind)))
        for (const name of namesIn(join(this.#folder, 'results', kind, owner)))
          this.#result(join(this.#folder, 'results', kind, owner, name), name)
  }

  #result(path: string, name: string): void {
    const { ino } = statSync(path)
    // Links to one file need one look.
    if (this.#checkedResults.has(`${name} ${ino}`)) return
    this.#checkedResults.add(`${name} ${ino}`)
    this.resultFiles += 1
    const hash = createHash('sha256').update(readFileSync(path)).digest('hex')
    if (`${hash}.json` !== name) this.problems.push({ path, problem: 'its content is not what its name says' })
  }

  #entry(path: string, key: string): void {
    try {
      const fields = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
      if (typeof fields[key] === 'string') return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return // it has gone in the meantime
    }
    this.problems.push({ path, problem: 'this is not JSON as it should be' })
  }
}
