import { endedName, parseSegmentName } from './journal-names.js'

/** The files of one journal, as their names tell. */
export interface JournalFiles {
  /** What it is known by, here and in the catalogue. */
  readonly name: string
  /** In order; what follows the last of those that have been folded. */
  readonly segments: readonly { readonly file: string; readonly segment: number }[]
  /** The lines that a folding of its first segments has left, up to the one of that number. */
  readonly carries: readonly number[]
  /** The file that ends it, if its writer has died. */
  readonly ended: string | undefined
  /** Whether its lines have no seals: formats 1 and 2. */
  readonly isOld: boolean
}

const carried = /^(.+)\.(\d{4,})\.carry$/

/** The name of the file with what a folding has left of the first segments of a journal, up to that one. */
export function carryName(journal: string, segment: number): string {
  return `${journal}.${String(segment).padStart(4, '0')}.carry`
}

/** The journals that the files of a folder make up, in no order. */
export function journalsOf(names: Iterable<string>): Map<string, JournalFiles> {
  const all = new Set(names)
  const journals = new Map<
    string,
    JournalFiles & { segments: { file: string; segment: number }[]; carries: number[] }
  >()
  const journalOf = (name: string, ended: string, isOld: boolean) => {
    let journal = journals.get(name)
    if (!journal) {
      journal = { name, segments: [], carries: [], ended: all.has(ended) ? ended : undefined, isOld }
      journals.set(name, journal)
    }
    return journal
  }
  for (const file of all) {
    const carry = carried.exec(file)
    const found = parseSegmentName(file)
    if (carry) journalOf(carry[1]!, endedName(carry[1]!), false).carries.push(Number(carry[2]))
    else if (found) {
      const isOld = file === `${found.journal}.ndjson`
      // One of an old format is a journal of its own, whatever else that engine has written.
      const name = isOld ? file : found.journal
      journalOf(name, endedName(found.journal), isOld).segments.push({ file, segment: found.segment })
    }
  }
  for (const { segments, carries } of journals.values()) {
    segments.sort((a, b) => a.segment - b.segment)
    carries.sort((a, b) => a - b)
  }
  return journals
}

/** Every file of a journal. */
export function filesOf({ name, segments, carries, ended }: JournalFiles): string[] {
  return [
    ...carries.map(segment => carryName(name, segment)),
    ...segments.map(({ file }) => file),
    ...(ended ? [ended] : []),
  ]
}
