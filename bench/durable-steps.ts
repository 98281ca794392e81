/**
 * Steps of a workflow, each on the disk before the next one begins: tasks of a flow on a `JsonStore` with durability 'power',
 * held against DBOS on a PostgreSQL that this starts and stops (Debian's package; any that `pg_config` knows). Same steps, same
 * disk, `fsync` on both sides. `node --import tsx bench/durable-steps.ts`. ROUNDS changes how many rounds count.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ConcurrentExecutor, createEngine, flow, JsonStore, task } from 'mintaka'
import { startProcess } from '../test/fixtures/dask/process.js'
import { BlockEnding } from '../test/fixtures/ending.js'
import { databasesFolder } from './databases/install.js'
import { startPostgres } from './databases/postgres.js'
import { heading, interleave, table } from './rounds.js'

const increment = task('increment', async (n: number) => n + 1)

type What = 'one' | 'fifty'
const steps: Readonly<Record<What, number>> = { one: 200, fifty: 2_000 }

const executor = new ConcurrentExecutor()
const one = flow(
  'one',
  async (count: number) => {
    let last = 0
    for (let index = 0; index < count; index++) last = await increment(last)
    return last
  },
  { executor },
)
const fifty = flow(
  'fifty',
  async (count: number) => {
    let settled = 0
    for (let from = 0; from < count; from += 50) {
      const group = Array.from({ length: Math.min(50, count - from) }, (_, index) => increment(from + index))
      settled += (await Promise.all(group)).length
    }
    return settled
  },
  { executor },
)

const folder = mkdtempSync(join(tmpdir(), 'mintaka-bench-'))
await chmod(folder, 0o755) // another user's database is in it
try {
  await using ending = new BlockEnding()
  await using postgres = await startPostgres(folder)
  const dbos = await startDbos(ending, postgres.url)
  await using engine = createEngine({ store: new JsonStore({ folder: join(folder, 'store'), durability: 'power' }) })
  const ours = async (what: What) => {
    const begin = performance.now()
    const count = await engine.run(what === 'one' ? one : fifty, steps[what])
    if (count !== steps[what]) throw new Error(`${count} of ${steps[what]} steps`)
    return performance.now() - begin
  }
  const perStep = async (what: What, measured: Promise<number>) => ((await measured) * 1000) / steps[what]

  console.log(heading('Durable steps', `DBOS on ${postgres.version}`))
  for (const [what, atLeast, title] of [
    ['one', 5, 'One after the other'],
    ['fifty', 50, 'Fifty at a time'],
  ] as const) {
    const results = await interleave([
      { name: 'DBOS', measure: () => perStep(what, dbos(what)) },
      { name: 'flow', against: 'DBOS', goal: { atLeast }, measure: () => perStep(what, ours(what)) },
    ])
    console.log(`\n### ${title}\n\n${table(results, 'µs per step')}`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** In a process of its own, as the other side has one. */
async function startDbos(ending: BlockEnding, url: string): Promise<(what: What) => Promise<number>> {
  const program = fileURLToPath(new URL('databases/dbos.mjs', import.meta.url))
  const dbos = startProcess(ending, process.execPath, [program, databasesFolder(), url])
  await dbos.said(/ready/)
  const lines = createInterface({ input: dbos.process.stdout })[Symbol.asyncIterator]()
  return async what => {
    dbos.process.stdin.write(`${what} ${steps[what]}\n`)
    for (;;) {
      const { done, value } = await lines.next()
      if (done) throw new Error(dbos.logText())
      if (value.startsWith('took ')) return Number(value.slice(5))
    }
  }
}
