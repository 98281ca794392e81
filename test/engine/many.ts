import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { test } from 'tap'

const script = fileURLToPath(new URL('fixtures/heap.mjs', import.meta.url))
const count = 100_000

for (const executor of ['sequential', 'concurrent', 'limited', 'parallel']) {
  test(`100,000 tasks complete, and nothing of them is left when the engine is dropped: ${executor}`, async t => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', script, executor, String(count)])
    const { sum, grown } = JSON.parse(stdout) as { sum: number; grown: number }
    t.equal(sum, (count * (count - 1)) / 2)
    t.ok(grown < 8 * 2 ** 20, `${(grown / 2 ** 20).toFixed(1)} MiB are left`)
  })
}
