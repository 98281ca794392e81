import { existsSync, statSync } from 'node:fs'
import { nearFiles } from '../near-files.js'
import { Failure } from '../print.js'

/** A file, and perhaps which of its flows. */
export interface Target {
  readonly file: string
  readonly name?: string
}

/** The file of `report.ts:monthly`, and what stands behind its colon; either may hold colons itself. Throws a Failure. */
export function splitTarget(target: string): Target {
  for (let at = target.length; at > 0; at = target.lastIndexOf(':', at - 1)) {
    const file = target.slice(0, at)
    if (!existsSync(file)) continue
    if (!statSync(file).isFile()) throw new Failure(`${file} is not a file.`)
    return at === target.length ? { file } : { file, name: target.slice(at + 1) }
  }
  throw new Failure(`There is no file ${target}.${nearFiles(target)}`)
}
