import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { type Header, parseLine } from '../lines/line.js'
import { keyOf, keys, textOf } from '../lines/line-bytes.js'
import { scanWholeLines } from '../lines/whole-lines.js'
import { carryName, type JournalFiles } from './journal-files.js'

/** Whose journal it is; `undefined`: it has no first line yet, or every copy of its header is damaged. */
export async function headerOf(folder: string, files: JournalFiles): Promise<Header | undefined> {
  const { name, segments, carries, isOld } = files
  const all = [...segments.map(({ file }) => file), ...carries.map(segment => carryName(name, segment))]
  for (const file of all) {
    const header = await headerIn(join(folder, file), !isOld)
    if (header) return header
  }
  return undefined
}

async function headerIn(path: string, sealed: boolean): Promise<Header | undefined> {
  let header: Header | undefined
  await scanWholeLines(
    path,
    0,
    line => {
      const isHeader = keyOf(line) === keys.header
      if (isHeader) header ??= parseLine(textOf(line))?.fields.h
      return isHeader && header === undefined
    },
    { sealed, pieceBytes: 4096 },
  )
  return header
}

/** Whether its owner has closed a journal, and has abandoned no flow run: the last line says so. */
export function isClosed(folder: string, files: JournalFiles): boolean {
  return openAtEnd(folder, files) === 0
}

/** How many flow runs were abandoned when a journal was closed; `undefined`: it has not been. */
export function openAtEnd(folder: string, { segments }: JournalFiles): number | undefined {
  const last = segments.at(-1)
  if (!last) return undefined
  const fd = openSync(join(folder, last.file), 'r')
  try {
    const tail = Buffer.alloc(160)
    const from = Math.max(0, fstatSync(fd).size - tail.length)
    const match = closing.exec(tail.toString('latin1', 0, readSync(fd, tail, 0, tail.length, from)))
    return match ? Number(match[1] ?? 0) : undefined
  } finally {
    closeSync(fd)
  }
}

const closing = /(?:^|\n)\{"c":[\d.]+,"q":\d+(?:,"o":(\d+))?(?:,"z":"[0-9a-f]{8}")?\}\n$/
