import { join } from 'node:path'
import type { StoreSurroundings } from '../core/store.js'
import type { Damage } from './lines/whole-lines.js'

/** Tells of what is damaged in a store: of each place once, and of those in one file together. */
export class DamageReport {
  readonly #folder: string
  readonly #warn: StoreSurroundings['warn']
  /** What has been told. */
  readonly #told = new Set<string>()
  #damage: Damage[] = []

  /** `folder` is that of the store. */
  constructor(folder: string, warn: StoreSurroundings['warn']) {
    this.#folder = folder
    this.#warn = warn
  }

  /** A place that has been found, perhaps not for the first time. */
  add(damage: Damage): void {
    if (!this.#told.has(keyOf(damage))) this.#damage.push(damage)
  }

  /** Tells of the places that have been added since. */
  tell(): void {
    const byPath = new Map<string, Damage[]>()
    for (const damage of this.#damage) {
      if (this.#told.has(keyOf(damage))) continue
      this.#told.add(keyOf(damage))
      byPath.set(damage.path, [...(byPath.get(damage.path) ?? []), damage])
    }
    this.#damage = []
    for (const [path, places] of byPath) {
      const [first] = places
      const what = places.length === 1 ? `1 line of ${path} is` : `${places.length} lines of ${path} are`
      const isIndex = path.startsWith(join(this.#folder, 'index'))
      this.#warn(
        isIndex
          ? `The index ${path} is damaged. It is made anew from the history; 'mintaka store rebuild' does that for good.`
          : `${what} damaged and left out, at byte ${first!.offset}${places.length > 1 ? ' and later' : ''}.`,
        { path, offset: first!.offset, places: places.length },
      )
    }
  }

  /** Something that one sentence says. */
  tellOnce(message: string): void {
    if (this.#told.has(message)) return
    this.#told.add(message)
    this.#warn(message)
  }
}

const keyOf = ({ path, offset }: Damage) => `${path}:${offset}`
