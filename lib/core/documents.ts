/** A document with the key it is kept under. */
export interface Document {
  /** Any text. */
  readonly key: string
  /** What was put: plain data, a copy. */
  readonly value: unknown
}

/**
 * Small pieces of plain data (what JSON has) that several processes share, each written as a whole: deployments, and what
 * is scheduled. A kind is a word of letters, a key any text. What cannot be written rejects with STORE_WRITE_FAILED.
 */
export interface Documents {
  /** Makes one, or replaces it. */
  put(kind: string, key: string, value: unknown): Promise<void>
  /** Makes one that is not there yet. `false`: it is, and stays as it is. Of many that try at once one gets `true`. */
  create(kind: string, key: string, value: unknown): Promise<boolean>
  /** `undefined`: there is none. */
  get(kind: string, key: string): Promise<unknown>
  /** All of a kind, by key. One that cannot be read is left out, and that is warned of. */
  list(kind: string): Promise<readonly Document[]>
  /** `false`: there was none. */
  remove(kind: string, key: string): Promise<boolean>
  /**
   * Carries out `action` while nobody else does anything under that name, in whatever process; `undefined` at once if
   * somebody does. Who dies in the middle does not keep others out.
   */
  exclusively<T>(name: string, action: () => Promise<T>): Promise<{ readonly value: T } | undefined>
}
