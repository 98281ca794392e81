import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'

/** A folder for one worker. Those that workers of this machine have left when they were killed are removed. */
export function makeFolder(parent: string): string {
  mkdirSync(parent, { recursive: true })
  const mine = `mintaka-worker-${hostname()}-`
  for (const name of readdirSync(parent)) {
    if (name.startsWith(mine) && isLeft(Number(name.slice(mine.length).split('-')[0]))) removeFolder(join(parent, name))
  }
  return mkdtempSync(join(parent, `${mine}${process.pid}-`))
}

export function removeFolder(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  } catch {
    // Somebody else's, or in use: not worth an error.
  }
}

function isLeft(pid: number): boolean {
  if (!Number.isInteger(pid) || pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
