import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import tap, { type Test, test } from 'tap'
import { mintakaIn } from './fixtures/mintaka.js'

tap.setTimeout(180_000) // many processes, on whatever machine this is

/** Runs small flows on the default store until its parent says stop, then says how many it has run. */
const script = `
  import { flow, task } from 'mintaka'
  const one = task('one', async n => n)
  const many = flow('many', async n => { await Promise.all(Array.from({ length: 50 }, () => one(n))); return n })
  let stopped = false
  process.on('message', () => { stopped = true })
  let runs = 0
  while (!stopped) {
    await many(runs++)
    if (runs === 1) process.send('writing')
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  process.send(runs, () => process.disconnect())
`

async function writer(t: Test, folder: string, file: string): Promise<() => Promise<number>> {
  const { NODE_OPTIONS: _, ...env } = process.env
  const child = fork(join(folder, file), { execArgv: [], env: { ...env, MINTAKA_HOME: join(folder, 'home') } })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child, 'message')
  return async () => {
    const ended = once(child, 'exit')
    child.send('stop')
    const [runs] = (await once(child, 'message')) as [number]
    await ended
    return runs
  }
}

test('flow-run ls, 20 times while two scripts write: never an error, counts only grow, nothing is missing', async t => {
  const folder = t.testdir({ 'one.mjs': script, 'two.mjs': script })
  const mintaka = mintakaIn(folder)
  const list = async (...options: string[]): Promise<number> => {
    const { code, stdout, stderr } = await mintaka('flow-run', 'ls', '--limit', '1000000', '--json', ...options)
    if (code !== 0) throw new Error(stderr)
    return (JSON.parse(stdout) as unknown[]).length
  }
  const stops = await Promise.all(['one.mjs', 'two.mjs'].map(file => writer(t, folder, file)))
  const counts: number[] = []
  for (let turn = 0; turn < 20; turn++) counts.push(await list())
  const [one = 0, two = 0] = await Promise.all(stops.map(stop => stop()))
  t.strictSame(
    counts,
    [...counts].sort((a, b) => a - b),
  )
  t.ok(counts.at(-1)! > counts[0]!, 'they were writing all the while')
  t.equal(await list('--state', 'completed'), one + two, 'both histories are complete')
})
