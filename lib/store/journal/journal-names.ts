// The names of a journal's files. `J` is the engine's id as a file name; a later session of that engine is `J-s2`. Its
// segments are `J.0001.ndjson`, `J.0002.ndjson`, and so on; what ends it for a writer that died is `J.ended`.
// Formats 1 and 2 had one file for each journal: `J.ndjson`, or `J.2.ndjson` for the second session.

const segmented = /^(.+)\.(\d{4,})\.ndjson$/

/** The name of an engine's n-th journal; the first is 1. */
export function journalName(engine: string, session: number): string {
  return session === 1 ? engine : `${engine}-s${session}`
}

/** The file name of a journal's n-th segment; the first is 1. */
export function segmentName(journal: string, segment: number): string {
  return `${journal}.${String(segment).padStart(4, '0')}.ndjson`
}

/** What a file of journals is, by its name; `undefined`: none of them. A file of format 1 or 2 is segment 1 of its own. */
export function parseSegmentName(name: string): { readonly journal: string; readonly segment: number } | undefined {
  const match = segmented.exec(name)
  if (match) return { journal: match[1]!, segment: Number(match[2]) }
  return name.endsWith('.ndjson') ? { journal: name.slice(0, -'.ndjson'.length), segment: 1 } : undefined
}

/** The file name of what ends a journal whose writer has died. */
export function endedName(journal: string): string {
  return `${journal}.ended`
}
