import { readdirSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { didYouMean } from '../core/nearest.js'

/** ` Did you mean 'report.ts'?`: files beside the one that somebody has asked for, which is not there. */
export function nearFiles(target: string): string {
  const [path = ''] = target.split(/:(?![\\/])/) // what stands behind a colon is a flow
  const folder = dirname(path)
  try {
    return didYouMean(basename(path), readdirSync(folder))
  } catch {
    return ''
  }
}
