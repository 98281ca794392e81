import { readFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { type ErrorCode, isMintakaError, MintakaError } from '../core/errors.js'
import type { Definition } from './definitions.js'
import { findTask, tasksOf } from './find.js'
import { machines } from './machines.js'
import { bundledAsWritten } from './shipped-file.js'
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

export interface CheckOptions {
  /** Whether to ask for workers on other machines, which have no packages and files of the user's. */
  readonly remote?: boolean | undefined
}

/**
 * Says of each task in a file whether workers can run it. The file is read and never run. A task by reference
 * (`task.fromModule`) is not looked at.
 */
export async function checkFile(path: string, { remote = false }: CheckOptions = {}): Promise<Finding[]> {
  const file = resolve(path)
  const code = await readFile(file, 'utf8')
  try {
    const source = await readSource(file, code)
    const tasks = tasksOf(source).filter(({ isCertain }) => isCertain)
    const far = remote ? await farFindings(source, tasks) : new Map<string, Said[]>()
    return tasks.flatMap(task => findingsOf(source, task, far))
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error
    const message = `${basename(file)}:${error.line}:${error.column} ${error.message}`
    return [{ task: '', line: error.line, level: 'error', code: 'BUILD', message }]
  }
}

type Said = Omit<Finding, 'task' | 'line'>

function findingsOf(source: Source, task: Definition, far: ReadonlyMap<string, readonly Said[]>): Finding[] {
  const { name, line } = task
  if (name === undefined)
    return [{ task: '', line, level: 'error', code: 'NOT_LOCATED', message: unnamed(source, line) }]
  const said = [...nearFindings(source, task, name), ...(far.get(name) ?? [])]
  return (said.length > 0 ? said : [{ level: 'ok' } as const]).map(each => ({ task: name, line, ...each }))
}

function nearFindings(source: Source, task: Definition, name: string): Said[] {
  try {
    const { warnings } = sliceTask(source, findTask(source, name), task.captureKeys)
    return warnings.map(message => ({ level: 'warning', code: 'MAYBE_STALE', message }))
  } catch (error) {
    if (!isMintakaError(error)) throw error
    return [failed(error)]
  }
}

function failed({ code, message }: MintakaError): Said {
  return { level: 'error', code, message }
}

/** What other machines add, by task: of those that threads could run. */
async function farFindings(source: Source, tasks: readonly Definition[]): Promise<Map<string, Said[]>> {
  const results = await bundledAsWritten(source, tasks, machines)
  return new Map(
    [...results].map(([name, result]) => [
      name,
      result instanceof MintakaError
        ? [failed(result)]
        : result.warnings.map(message => ({ level: 'warning', code: 'ASSET', message })),
    ]),
  )
}

function unnamed({ label }: Source, line: number): string {
  return `The name of the task at ${label}:${line} is not a string literal, so that it can't be found when it is sent to a worker.`
}
