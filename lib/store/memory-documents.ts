import type { Document, Documents } from '../core/documents.js'

/** Documents as long as the process lives. They are kept as text, so that nobody changes what another one has read. */
export class MemoryDocuments implements Documents {
  readonly #kinds = new Map<string, Map<string, string>>()
  readonly #held = new Set<string>()

  async put(kind: string, key: string, value: unknown): Promise<void> {
    this.#ofKind(kind).set(key, JSON.stringify(value))
  }

  async create(kind: string, key: string, value: unknown): Promise<boolean> {
    const documents = this.#ofKind(kind)
    if (documents.has(key)) return false
    documents.set(key, JSON.stringify(value))
    return true
  }

  async get(kind: string, key: string): Promise<unknown> {
    const text = this.#ofKind(kind).get(key)
    return text === undefined ? undefined : JSON.parse(text)
  }

  async list(kind: string): Promise<readonly Document[]> {
    const all = [...this.#ofKind(kind)].map(([key, text]) => ({ key, value: JSON.parse(text) as unknown }))
    return all.sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  async remove(kind: string, key: string): Promise<boolean> {
    return this.#ofKind(kind).delete(key)
  }

  async exclusively<T>(name: string, action: () => Promise<T>): Promise<{ readonly value: T } | undefined> {
    if (this.#held.has(name)) return undefined
    this.#held.add(name)
    try {
      return { value: await action() }
    } finally {
      this.#held.delete(name)
    }
  }

  #ofKind(kind: string): Map<string, string> {
    const known = this.#kinds.get(kind) ?? new Map<string, string>()
    this.#kinds.set(kind, known)
    return known
  }
}
