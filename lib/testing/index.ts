/**
 * For tests of flows, and of executors and stores of your own.
 *
 * @module mintaka/testing
 */

export { type SimulatedClock, simulatedClock } from './clock.js'
export { type ExecutorSuiteOptions, executorSuite } from './executor-suite.js'
export { storeSuite } from './store-suite.js'
export type { TestRunner } from './test-runner.js'
