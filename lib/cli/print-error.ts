import { sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect, stripVTControlCharacters } from 'node:util'
import { isMintakaError } from '../core/errors.js'
import { cleanLines, colorsOf, Failure } from './print.js'

/** An error of ours as its sentence, any other one as it was thrown. */
export function printError(error: unknown): void {
  const { red, isColorSupported } = colorsOf(process.stderr)
  const isSentence = error instanceof Failure || isMintakaError(error)
  const lines = [
    isSentence ? `${red('error:')} ${cleanLines(error.message)}` : inspect(error, { colors: isColorSupported }),
  ]
  if (error instanceof Failure && error.cause !== undefined) lines.push(thrownText(error.cause, isColorSupported))
  process.stderr.write(`${lines.join('\n')}\n`)
}

/** What was thrown, with its stack, its causes and what it holds. The way through this library is left out. */
export function thrownText(error: unknown, colors: boolean): string {
  const lines = inspect(error, { colors, depth: 4 }).split('\n')
  const isOwn = lines.map(line => isFrame(line) && isOurs(line))
  const isAllOwn = lines.every((line, index) => !isFrame(line) || isOwn[index])
  if (isAllOwn && !isMintakaError(error)) return lines.join('\n') // a defect of ours: its frames are all there is
  const kept: string[] = []
  for (const [index, line] of lines.entries()) {
    if (!isOwn[index]) kept.push(line)
    else if (line.endsWith(' {')) kept.push(`${kept.pop()} {`) // the fields of the error follow
  }
  return kept.join('\n')
}

function isFrame(line: string): boolean {
  return /^ +(at |\.\.\. \d+ lines? matching)/.test(stripVTControlCharacters(line))
}

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\bdist[\\/]$/, '')
const ownFolders = ['lib', 'workers', 'dist'].map(folder => `${root}${folder}${sep}`)
const ownWays = /^ +\.\.\. |[( ]node:(internal|async_hooks|events)|node_modules[\\/](piscina|commander)[\\/]/

function isOurs(line: string): boolean {
  const frame = stripVTControlCharacters(line)
  return ownFolders.some(folder => frame.includes(folder)) || ownWays.test(frame)
}
