import { join } from 'node:path'
import { createEngine, flow, MemoryStore, task } from 'mintaka'
import tap, { test } from 'tap'
import { root, runNode } from '../fixtures/project.js'

tap.setTimeout(180_000)

const failsAt = task('fails at', async (n: number, at: number) => {
  if (n === at) throw new Error(`it was ${n}`)
})

test('a flow that returns nothing counts all of its runs, however many have completed long ago', async t => {
  await using engine = createEngine({ store: new MemoryStore() })
  const many = flow('many', async (at: number) => {
    for (let from = 0; from < 5_000; from += 500) {
      await Promise.all(Array.from({ length: 500 }, (_, index) => failsAt(from + index, at).wait()))
    }
  })
  const failed = await engine.run(many, 700).wait()
  t.match(failed, { type: 'FAILED', message: '1 of 5000 runs failed', error: { message: 'it was 700' } })
  t.match(await engine.run(many, -1).wait(), { type: 'COMPLETED' })
})

test('a flow of hundreds of thousands of tasks, a thousand at a time, has room in a heap of 40 MB', async t => {
  const program = join(root, 'bench/million-tasks.mjs')
  const args = ['--max-old-space-size=40', program, 'run', join(t.testdir({}), 'store'), '300000']
  const { code, stderr } = await runNode(args, { cwd: root })
  t.equal(code, 0, stderr)
})
