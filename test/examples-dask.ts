import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import tap, { type Test } from 'tap'
import { newestDask } from './fixtures/dask/environments.js'
import { startNodeWorker, startScheduler } from './fixtures/dask/scheduler.js'

tap.setTimeout(180_000)

const run = promisify(execFile)
const examples = fileURLToPath(new URL('../examples/dask', import.meta.url))

/** What an example prints, run as a user runs it, in a folder and with a store of its own. */
async function output(t: Test, file: string, ...args: string[]): Promise<string[]> {
  const folder = t.testdir({ 'tsconfig.json': '{}' })
  const env = {
    PATH: process.env['PATH'],
    MINTAKA_HOME: join(folder, 'home'),
    MINTAKA_LOG: 'silent',
    MINTAKA_PYTHON: newestDask().python,
  }
  const command = ['--import', import.meta.resolve('tsx'), join(examples, file), ...args]
  const { stdout } = await run(process.execPath, command, { cwd: folder, env })
  return stdout.trimEnd().split('\n')
}

const printed: Record<string, string[]> = {
  'adaptive.ts': ['40 tasks, on more than one worker'],
  'annotations.ts': [
    '{',
    "  data: 'DATA',",
    "  models: [ 'small trained', 'large trained' ],",
    "  again: 'attempt 1 as Mintaka counts'",
    '}',
    'Failed because of its TPU',
  ],
  'existing.ts': ['10 tasks on 1 host'],
  'nested.ts': ['dask:     the sum is 328350, and the square is 4', 'parallel: the sum is 328350, and the square is 4'],
  'python.ts': ['{ area: 2, factorial: 3628800 }'],
  'temporary.ts': ['78498 primes below 1,000,000'],
}

for (const [file, lines] of Object.entries(printed)) {
  tap.test(`dask/${file} prints what it always prints`, async t => {
    const args = file === 'existing.ts' ? [await existingCluster(t)] : []
    t.strictSame(await output(t, file, ...args), lines)
  })
}

tap.test('every example for Dask is run here', async t => {
  t.strictSame(readdirSync(examples).sort(), Object.keys(printed))
})

async function existingCluster(t: Test): Promise<string> {
  const { address } = await startScheduler(t)
  await startNodeWorker(t, address)
  return address
}
