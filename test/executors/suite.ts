import { ConcurrentExecutor, ParallelExecutor, SequentialExecutor } from 'mintaka'
import { executorSuite } from 'mintaka/testing'
import { test } from 'tap'

test('SequentialExecutor', async t => executorSuite(t, () => new SequentialExecutor(), { overlaps: false }))
test('ConcurrentExecutor', async t => executorSuite(t, () => new ConcurrentExecutor()))
test('ConcurrentExecutor with a limit', async t => executorSuite(t, () => new ConcurrentExecutor({ concurrency: 2 })))
test('ConcurrentExecutor, strict', async t => executorSuite(t, () => new ConcurrentExecutor({ strict: true })))
test('ParallelExecutor', async t => executorSuite(t, () => new ParallelExecutor({ threads: 2 })))
