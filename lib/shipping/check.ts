import { readFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { type ErrorCode, isMintakaError } from '../core/errors.js'
import type { Definition } from './definitions.js'
import { findTask, tasksOf } from './find.js'
import { sliceTask } from './slice.js'
import { readSource, type Source } from './source.js'
import { SyntaxProblem } from './syntax.js'

/** What is known of one task before it runs: that a worker can run it, or why not. */
export interface Finding {
  readonly task: string
  readonly line: number
  readonly level: 'ok' | 'warning' | 'error'
  readonly code?: ErrorCode
  readonly message?: string
}

/**
 * Says of each task in a file whether workers can run it. The file is read and never run. A task by reference
 * (`task.fromModule`) is not looked at.
 */
export async function checkFile(path: string): Promise<Finding[]> {
  const file = resolve(path)
  const code = await readFile(file, 'utf8')
  try {
    const source = await readSource(file, code)
    return tasksOf(source).flatMap(task => (task.isCertain ? findingsOf(source, task) : []))
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error
    const message = `${basename(file)}:${error.line}:${error.column} ${error.message}`
    return [{ task: '', line: error.line, level: 'error', code: 'BUILD', message }]
  }
}

function findingsOf(source: Source, task: Definition): Finding[] {
  const { name, line } = task
  if (name === undefined)
    return [{ task: '', line, level: 'error', code: 'NOT_LOCATED', message: unnamed(source, line) }]
  try {
    const { warnings } = sliceTask(source, findTask(source, name), task.captureKeys)
    if (warnings.length === 0) return [{ task: name, line, level: 'ok' }]
    return warnings.map(message => ({ task: name, line, level: 'warning', code: 'MAYBE_STALE', message }))
  } catch (error) {
    if (!isMintakaError(error)) throw error
    return [{ task: name, line, level: 'error', code: error.code, message: error.message }]
  }
}

function unnamed({ label }: Source, line: number): string {
  return `The name of the task at ${label}:${line} is not a string literal, so that it can't be found when it is sent to a worker.`
}
