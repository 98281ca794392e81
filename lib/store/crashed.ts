import { renameSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { MintakaError } from '../core/errors.js'
import type { Run } from '../core/run.js'
import { states } from '../core/state.js'
import type { StoreSurroundings } from '../core/store.js'
import { createFile, namesIn } from './files.js'
import type { FoldedJournal } from './history/catalogue.js'
import { hasMoved } from './history/moved.js'
import { filesOf, type JournalFiles, journalsOf } from './journal/journal-files.js'
import { endedName } from './journal/journal-names.js'
import { JournalReader } from './journal/journal-reader.js'
import { headerOf, isClosed, openAtEnd } from './journal/journal-state.js'
import { bytesAfter } from './journal/rest.js'
import { UnsettledTasks } from './journal/unsettled.js'
import { closedLine, format, type Header, headerLine } from './lines/line.js'
import { seal } from './lines/seal.js'
import { stateLine } from './lines/state-line.js'
import { isDead, thisProcess } from './process-id.js'

/** A journal to which nothing will be added. */
export interface FinishedJournal {
  readonly files: JournalFiles
  readonly bytes: number
}

export interface EndingSurroundings extends StoreSurroundings {
  /** Somebody answers for it that the process of this owner has died, wherever it was. */
  readonly deadOwner?: string | undefined
}

/**
 * Ends the runs of processes that have died, or that have given up their store. What becomes of them stands in one file beside the journal, made whole and
 * exclusively: of two processes that do this at once, one records it, and one that dies on the way has not begun. The
 * journal itself is left to its owner, but for a last line that was never finished. Gives the journals that are finished.
 */
export async function endRunsOfTheDead(
  folder: string,
  folded: readonly FoldedJournal[],
  surroundings: EndingSurroundings,
  temporary: () => string,
): Promise<FinishedJournal[]> {
  const finished: FinishedJournal[] = []
  for (const files of journalsOf(namesIn(folder)).values()) {
    try {
      const own = await endIfDead(folder, files, folded, surroundings, temporary)
      if (own) finished.push(own)
    } catch (error) {
      // Somebody has folded it in the meantime; then it was finished.
      if (!hasMoved(error)) throw error
    }
  }
  return finished
}

async function endIfDead(
  folder: string,
  files: JournalFiles,
  folded: readonly FoldedJournal[],
  surroundings: EndingSurroundings,
  temporary: () => string,
): Promise<FinishedJournal | undefined> {
  const its = folded.filter(({ journal }) => journal === files.name)
  const isFinished = files.ended !== undefined || isClosed(folder, files)
  if (isFinished && its.length === 0) return finishedOf(folder, files)
  const header = await headerOf(folder, files)
  const same = its.filter(({ created }) => created === (header?.created ?? 0))
  if (same.some(({ upTo }) => upTo === undefined)) return undefined // the history has it
  if (isFinished) return finishedOf(folder, files)
  if (!header || header.format > format) return undefined
  const isLeft = openAtEnd(folder, files) !== undefined
  if (!isLeft && !isDead(header.process) && header.owner !== surroundings.deadOwner) return undefined
  const reader = new JournalReader(folder, files.name, Math.max(0, ...same.map(({ upTo }) => upTo ?? 0)))
  const tasks = new UnsettledTasks()
  await reader.refresh(files, undefined, line => tasks.visit(line))
  if (!reader.closed) end(folder, reader, tasks, files, header, surroundings, temporary)
  const ended = reader.closed ? undefined : endedNameOf(files)
  return finishedOf(folder, { ...files, ended })
}

function end(
  folder: string,
  reader: JournalReader,
  tasks: UnsettledTasks,
  files: JournalFiles,
  header: Header,
  { codec, warn }: StoreSurroundings,
  temporary: () => string,
): void {
  const { process: dead, owner } = header
  cutTornTail(reader, warn)
  const unsettled = reader.unsettled(tasks)
  const runs = reader.isLeft ? unsettled.filter(({ state }) => state.name !== 'Scheduled') : unsettled
  const lastRecord = Math.max(header.created, tasks.lastRecord)
  const place = { journal: files.name, segment: 1 }
  let text = seal(headerLine({ format, owner, process: thisProcess(), created: Date.now(), ...place }))
  for (const [index, run] of runs.entries()) {
    const at = Math.max(lastRecord, run.state.timestamp)
    text += seal(
      stateLine(run, index + 1, states.crashed(at, lossOf(run, header, lastRecord, reader.isLeft)), codec, true),
    )
  }
  text += seal(closedLine(runs.length + 1, Date.now()))
  if (!createFile(join(folder, endedNameOf(files)), text, temporary(), replace) || runs.length === 0) return
  const it = reader.isLeft ? 'its store was closed' : 'it ended'
  const [what, them] = runs.length === 1 ? ['1 run', 'it'] : [`${runs.length} runs`, 'them']
  const are = runs.length === 1 ? 'is' : 'are'
  const message = `${what} of process ${dead.pid} ${are} CRASHED: ${it} without finishing ${them}.`
  warn(message, { pid: dead.pid, host: dead.host, owner, runs: runs.length, lastRecord })
}

function endedNameOf({ name, isOld }: JournalFiles): string {
  return endedName(isOld ? name.slice(0, -'.ndjson'.length) : name)
}

function finishedOf(folder: string, files: JournalFiles): FinishedJournal {
  const sizes = filesOf(files).map(file => statSync(join(folder, file), { throwIfNoEntry: false })?.size ?? 0)
  return { files, bytes: sizes.reduce((sum, size) => sum + size, 0) }
}

/** Where files cannot be created whole and exclusively: two who write this write the same, so the last may win. */
function replace(path: string, _text: string, temporary: string): boolean {
  renameSync(temporary, path)
  return true
}

/** Whoever else does the same does exactly the same. */
function cutTornTail({ paths, position }: JournalReader, warn: StoreSurroundings['warn']): void {
  const path = paths[position.part]
  if (path === undefined) return
  const { offset } = position
  if (statSync(path).size <= offset) return
  const bytes = bytesAfter(path, offset)
  if (bytes > 0)
    warn(`The last line of ${path} was never finished: ${bytes} bytes at byte ${offset} do not count.`, {
      path,
      offset,
    })
  try {
    truncateSync(path, offset)
  } catch {
    // It may belong to another user. Readers pass over it anyway.
  }
}

function lossOf(
  run: Run,
  { owner, process: { pid, host } }: Header,
  lastRecord: number,
  isLeft: boolean,
): MintakaError {
  const end = isLeft ? 'closed its store' : 'ended'
  const what = run.kind === 'flow-run' ? 'flow run' : 'task run'
  const last = `Its last record is from ${new Date(lastRecord).toISOString()}.`
  const message =
    run.runCount > 0
      ? `The process ${pid} on host '${host}' that carried out ${what} '${run.name}' ${end} without finishing it. ${last}`
      : `The process ${pid} on host '${host}' ${end} when ${what} '${run.name}' had not begun, or only just. ${last}`
  return new MintakaError('CRASHED', message, { pid, host, owner, lastRecord })
}
