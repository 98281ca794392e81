import { closeSync, fstatSync, openSync, readSync, renameSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { MintakaError } from '../core/errors.js'
import type { Run } from '../core/run.js'
import { states } from '../core/state.js'
import type { StoreSurroundings } from '../core/store.js'
import { createFile, namesIn } from './files.js'
import { JournalReader } from './journal-reader.js'
import { closedLine, format, type Header, headerLine, parseLine, stateLine } from './lines.js'
import { isDead, thisProcess } from './process-id.js'

/**
 * Ends the runs of processes that have died. What becomes of them stands in one file beside the journal, made whole and
 * exclusively: of two processes that open the store at once, one records it, and one that dies on the way has not begun.
 * The journal itself is left to its owner, but for a last line that was never finished.
 */
export async function endRunsOfTheDead(
  folder: string,
  { codec, warn }: StoreSurroundings,
  temporary: () => string,
): Promise<void> {
  const names = new Set(namesIn(folder))
  for (const name of names) {
    if (!name.endsWith('.ndjson') || names.has(endedName(name))) continue
    const path = join(folder, name)
    const header = mayBeOrphaned(path)
    if (!header || !isDead(header.process)) continue
    const journal = new JournalReader(path)
    await journal.refresh()
    if (journal.closed) continue
    cutTornTail(path, journal.offset)
    const { runs, lastRecord } = await journal.readUnsettled()
    let text = headerLine({ format, owner: header.owner, process: thisProcess(), created: Date.now() })
    for (const [index, run] of runs.entries()) {
      const at = Math.max(lastRecord, run.state.timestamp)
      text += stateLine(run, index + 1, states.crashed(at, lossOf(run, header, lastRecord)), codec, true)
    }
    text += closedLine(runs.length + 1, Date.now())
    if (createFile(join(folder, endedName(name)), text, temporary(), replace) && runs.length > 0)
      warn(`${runs.length} runs of process ${header.process.pid} are CRASHED: it ended without finishing them.`, {
        pid: header.process.pid,
        owner: header.owner,
        runs: runs.length,
      })
  }
}

/** The name of the file that ends the runs of a journal. */
export function endedName(journal: string): string {
  return journal.replace(/ndjson$/, 'ended')
}

/** Where files cannot be created whole and exclusively: two who write this write the same, so the last may win. */
function replace(path: string, _text: string, temporary: string): boolean {
  renameSync(temporary, path)
  return true
}

/** The header of a journal that its owner has not closed. `undefined` also if the journal has no first line yet. */
function mayBeOrphaned(path: string): Header | undefined {
  const fd = openSync(path, 'r')
  try {
    const head = Buffer.alloc(4096)
    const first = head.toString('utf8', 0, readSync(fd, head, 0, head.length, 0))
    const tail = Buffer.alloc(128)
    const last = tail.toString(
      'utf8',
      0,
      readSync(fd, tail, 0, tail.length, Math.max(0, fstatSync(fd).size - tail.length)),
    )
    if (/\n\{"c":\d+,"q":\d+\}\n$/.test(last)) return undefined
    const end = first.indexOf('\n')
    return end < 0 ? undefined : parseLine(first.slice(0, end))?.fields.h
  } finally {
    closeSync(fd)
  }
}

/** Whoever else does the same does exactly the same. */
function cutTornTail(path: string, end: number): void {
  try {
    truncateSync(path, end)
  } catch {
    // It may belong to another user. Readers pass over it anyway.
  }
}

function lossOf(run: Run, { owner, process: { pid } }: Header, lastRecord: number): MintakaError {
  const what = run.kind === 'flow-run' ? 'flow run' : 'task run'
  const last = new Date(lastRecord).toISOString()
  const message = `The process ${pid} that carried out ${what} '${run.name}' ended without finishing it. Its last record is from ${last}.`
  return new MintakaError('CRASHED', message, { pid, owner })
}
