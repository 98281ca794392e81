import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { MintakaError } from '../core/errors.js'
import type { Claim } from '../core/store.js'
import { createFile, replaceFile, sha256, temporaryName } from './files.js'
import { isDead, type ProcessId, thisProcess } from './process-id.js'

// A claim is a file that can be created once. Who finds it orphaned may create the next generation, which one of all that
// try can; so a claim passes from hand to hand without a lock, and is never in two hands.

/** What stands in the file of a claim. */
interface ClaimFile {
  readonly key: string
  readonly value: string
  /** Who made it; files of former versions do not say. */
  readonly process?: ProcessId
  /** Nothing has come of it. */
  readonly released?: true
}

export class Claims {
  readonly #folder: string
  readonly #temporary: () => string

  constructor(folder: string) {
    this.#folder = join(folder, 'claims')
    this.#temporary = () => join(folder, 'tmp', temporaryName())
  }

  /** See `Store.claim`. Throws what the file system says. */
  async claim(key: string, value: string, after?: number): Promise<Claim> {
    const text = this.#text({ key, value, process: thisProcess() })
    // Generations are never removed, so that the newest one there is never passes to an older one.
    const newest = this.#newestOf(key)
    let generation = after === undefined ? Math.max(newest, 1) : after + 1
    if (generation > newest && createFile(this.#pathOf(key, generation), text, this.#temporary()))
      return { value, isNew: true, generation, isOrphaned: false }
    generation = Math.max(this.#newestOf(key), generation)
    const { value: held, process, released = false } = await this.#read(key, generation)
    return { value: held, isNew: false, generation, isOrphaned: released || (process !== undefined && isDead(process)) }
  }

  /** Says that nothing has come of a claim. */
  async release(key: string, generation: number): Promise<void> {
    const held = await this.#read(key, generation)
    replaceFile(this.#pathOf(key, generation), this.#text({ ...held, released: true }), this.#temporary(), false)
  }

  #newestOf(key: string): number {
    let newest = this.#exists(key, 1) ? 1 : 0
    while (newest > 0 && this.#exists(key, newest + 1)) newest += 1
    return newest
  }

  #exists(key: string, generation: number): boolean {
    return statSync(this.#pathOf(key, generation), { throwIfNoEntry: false }) !== undefined
  }

  /** Where claims are made in two steps the second one may be a moment away. */
  async #read(key: string, generation: number): Promise<ClaimFile> {
    const path = this.#pathOf(key, generation)
    for (let attempt = 0; attempt < 100; attempt += 1) {
      try {
        return JSON.parse(readFileSync(path, 'utf8')) as ClaimFile
      } catch {
        await sleep(10)
      }
    }
    throw new MintakaError('STORE_WRITE_FAILED', `The claim ${path} is damaged. Remove it to free what it stands for.`)
  }

  #text(claim: ClaimFile): string {
    return `${JSON.stringify(claim)}\n`
  }

  #pathOf(key: string, generation: number): string {
    return join(this.#folder, generation === 1 ? `${sha256(key)}.json` : `${sha256(key)}.${generation}.json`)
  }
}
