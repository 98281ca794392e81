import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import tap, { type Test, test } from 'tap'

tap.setTimeout(120_000) // a dozen processes, on whatever machine this is

/** A program that computes something cached, and ends as it is told: node job.mjs HOW X CACHE_FOR_MS. */
const program = (code: string) => `
  import { createEngine, flow, JsonStore, task } from '${import.meta.resolve('mintaka')}'
  const [how, x, cacheForMs] = process.argv.slice(2)
  const compute = task('compute', async p => {
    ${code}
    return { text: (p.x + ' ' + process.pid + ' ').repeat(how === 'large' ? 10_000 : 1), when: new Date(5) }
  }, { cacheKey: 'inputs', ...(cacheForMs && { cacheForMs: Number(cacheForMs) }) })
  const engine = createEngine({ store: new JsonStore({ folder: new URL('home', import.meta.url).pathname }), logLevel: 'error' })
  const future = engine.run(flow('f', async () => {
    const state = await compute({ x }).wait()
    process.stdout.write(state.name + ' ' + state.result.text.slice(0, 20).split(' ').slice(0, 2).join(' ') + ' ' + (state.result.when instanceof Date))
    if (how === 'die') process.kill(process.pid, 'SIGKILL')
  }))
  await future
  await engine.close()
`

function programIn(t: Test) {
  const folder = t.testdir()
  const write = (code = '') => writeFileSync(`${folder}/job.mjs`, program(code))
  write()
  const run = (...args: string[]) => {
    const { stdout, stderr } = spawnSync(process.execPath, [`${folder}/job.mjs`, ...args], { encoding: 'utf8' })
    if (stderr !== '') t.fail(stderr)
    const [name, , pid] = stdout.split(' ')
    return { name, pid }
  }
  return { write, run }
}

test('what a process has computed before it was killed is a hit for the next one', async t => {
  const { run } = programIn(t)
  const first = run('die', 'a')
  t.equal(first.name, 'Completed')
  t.strictSame(run('end', 'a'), { name: 'Cached', pid: first.pid })
  t.equal(run('end', 'b').name, 'Completed')
  t.strictSame(run('end', 'a'), { name: 'Cached', pid: first.pid })
})

test('large results are hits, too', async t => {
  const { run } = programIn(t)
  const first = run('large', 'a')
  t.strictSame(run('large', 'a'), { name: 'Cached', pid: first.pid })
})

test('edited code misses, and finds its own again', async t => {
  const { write, run } = programIn(t)
  const first = run('die', 'a')
  write('// edited')
  const second = run('die', 'a')
  t.strictSame([first.name, second.name], ['Completed', 'Completed'])
  t.strictSame(run('end', 'a'), { name: 'Cached', pid: second.pid })
  write()
  t.strictSame(run('end', 'a'), { name: 'Cached', pid: first.pid })
})

test('a hit that has expired is computed again, and the newer result counts', async t => {
  const { run } = programIn(t)
  const first = run('die', 'a', '1')
  t.equal(first.name, 'Completed')
  const second = run('die', 'a', '100000')
  t.equal(second.name, 'Completed')
  t.strictSame(run('end', 'a'), { name: 'Cached', pid: second.pid })
})
