import { readFileSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../core/state.js'
import type { Command } from '../core/store.js'
import { fileName, makeFolder, namesIn, replaceFile, temporaryName } from './files.js'

/** Commands to owners, until these take them: a folder for each owner, a file for each command. */
export class Inboxes {
  readonly #folder: string
  #posted = 0

  /** `folder` is that of the store. */
  constructor(folder: string) {
    this.#folder = folder
  }

  /** Leaves a command for its owner. Throws what the file system says. */
  post(owner: string, command: Command): void {
    const inbox = this.#inbox(owner)
    makeFolder(inbox)
    // Names sort by time, and within one process by number.
    this.#posted += 1
    const name = `${pad(Date.now())}-${pad(this.#posted)}-${temporaryName().split('.').at(-1)}.json`
    const temporary = join(this.#folder, 'tmp', temporaryName())
    replaceFile(join(inbox, name), `${JSON.stringify(command)}\n`, temporary, false)
  }

  /** Takes what was posted, in that order. `warn` is told of what nobody understands. */
  take(owner: string, warn: (message: string) => void): Command[] {
    const inbox = this.#inbox(owner)
    const commands: Command[] = []
    for (const name of namesIn(inbox).sort()) {
      const path = join(inbox, name)
      try {
        commands.push(JSON.parse(readFileSync(path, 'utf8')) as Command)
      } catch (error) {
        warn(`A command was not understood: ${path}: ${messageOf(error)}`)
      }
      rmSync(path, { force: true })
    }
    return commands
  }

  /** Its owner takes nothing any more. */
  remove(owner: string): void {
    try {
      rmdirSync(this.#inbox(owner))
    } catch {
      // There is none, nearly always; or somebody has just posted something.
    }
  }

  #inbox(owner: string): string {
    return join(this.#folder, 'inbox', fileName(owner))
  }
}

const pad = (number: number) => String(number).padStart(16, '0')
