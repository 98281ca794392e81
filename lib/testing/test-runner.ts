/** What a suite needs of a test runner: tap's `t`, `{ test }` of `node:test`, vitest's `{ test }`. */
export interface TestRunner {
  /** Registers a test: its body resolves, or rejects with why it failed. */
  test(name: string, body: () => Promise<void>): unknown
}
