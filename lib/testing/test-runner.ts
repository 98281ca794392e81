/** What a suite needs of a test runner: tap's `t`, `{ test }` of `node:test`, vitest's `{ test }`. */
export interface TestRunner {
  test(name: string, body: () => Promise<void>): unknown
}
