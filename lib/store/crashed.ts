import { closeSync, fstatSync, openSync, readSync, renameSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { MintakaError } from '../core/errors.js'
import type { Run } from '../core/run.js'
import { states } from '../core/state.js'
import type { StoreSurroundings } from '../core/store.js'
import { createFile, namesIn } from './files.js'
import { endedName, journalsIn } from './journal-names.js'
import { JournalReader } from './journal-reader.js'
import { closedLine, format, type Header, headerLine, parseLine, stateLine } from './lines.js'
import { isDead, thisProcess } from './process-id.js'
import { seal } from './seal.js'

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
  const names = namesIn(folder)
  for (const [name, segments] of journalsIn(names)) {
    if (names.includes(endedName(name))) continue
    const paths = segments.map(segment => join(folder, segment))
    const header = mayBeOrphaned(paths)
    if (!header || !isDead(header.process)) continue
    const journal = new JournalReader(name)
    await journal.refresh(paths)
    if (journal.closed) continue
    cutTornTail(journal.end.path, journal.end.offset)
    const { runs, lastRecord } = await journal.readUnsettled()
    const place = { journal: name, segment: 1 }
    let text = seal(headerLine({ format, owner: header.owner, process: thisProcess(), created: Date.now(), ...place }))
    for (const [index, run] of runs.entries()) {
      const at = Math.max(lastRecord, run.state.timestamp)
      text += seal(stateLine(run, index + 1, states.crashed(at, lossOf(run, header, lastRecord)), codec, true))
    }
    text += seal(closedLine(runs.length + 1, Date.now()))
    if (createFile(join(folder, endedName(name)), text, temporary(), replace) && runs.length > 0)
      warn(`${runs.length} runs of process ${header.process.pid} are CRASHED: it ended without finishing them.`, {
        pid: header.process.pid,
        owner: header.owner,
        runs: runs.length,
      })
  }
}

/** Where files cannot be created whole and exclusively: two who write this write the same, so the last may win. */
function replace(path: string, _text: string, temporary: string): boolean {
  renameSync(temporary, path)
  return true
}

/** The header of a journal that its owner has not closed. `undefined` also if the journal has no first line yet. */
function mayBeOrphaned(paths: readonly string[]): Header | undefined {
  if (/\n\{"c":\d+,"q":\d+(,"z":"[0-9a-f]{8}")?\}\n$/.test(endOf(paths.at(-1)!))) return undefined
  for (const line of beginningOf(paths[0]!).split('\n').slice(0, -1)) {
    const header = parseLine(line)?.fields.h
    if (header) return header
  }
  return undefined
}

function beginningOf(path: string): string {
  return readPart(path, 8192, () => 0)
}

function endOf(path: string): string {
  return readPart(path, 128, size => Math.max(0, size - 128))
}

function readPart(path: string, length: number, from: (size: number) => number): string {
  const fd = openSync(path, 'r')
  try {
    const part = Buffer.alloc(length)
    return part.toString('utf8', 0, readSync(fd, part, 0, length, from(fstatSync(fd).size)))
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
