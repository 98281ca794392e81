import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { mintakaIn } from './fixtures/mintaka.js'

const files = {
  'flows.mjs': `
    import { setTimeout } from 'node:timers/promises'
    import { flow, task } from 'mintaka'
    const add = task('add', (a, b) => a + b)
    export const sum = flow('sum', ({ a = 0, b = 0 }) => add(a, b), { tags: ['maths'] })
    export const slow = flow('slow', () => setTimeout(60_000))
    export const none = flow('none', (...all) => all.length)
  `,
  'all.ts': `
    import { deployment, type Flow, flow } from 'mintaka'
    import { none, slow, sum } from './flows.mjs'
    const own: Flow<[], string> = flow('own', async () => 'mine')
    deployment('a', sum, { parameters: { a: 1, b: 2 }, tags: ['daily'], paused: true })
    deployment('b', slow, { limits: { timeoutMs: 50 } })
    deployment('c', none)
    deployment('d', own)
    await own()
  `,
}

test('a deployment runs here, with what it says, and its run is one of the deployment', async t => {
  const folder = t.testdir(files)
  const mintaka = mintakaIn(folder)
  t.equal((await mintaka('deployment', 'create', 'all.ts')).code, 0)
  t.match(await mintaka('deployment', 'execute', 'sum/a'), { code: 0, stdout: '3\n' })
  t.match(await mintaka('deployment', 'execute', 'a', '--params', '{"b":40}'), { code: 0, stdout: '41\n' })
  t.match(await mintaka('deployment', 'execute', 'none'), { code: 0, stdout: '0\n' }, 'no parameters are none')
  t.match(await mintaka('deployment', 'execute', 'slow/b'), { code: 1, stderr: /50 ms/ }, 'its time limit holds')

  const runs = JSON.parse((await mintaka('flow-run', 'ls', '--json')).stdout)
  t.match(
    runs.map(({ deployment, state }: Ran) => [deployment, state.name]),
    [
      ['slow/b', 'TimedOut'],
      ['none/c', 'Completed'],
      ['sum/a', 'Completed'],
      ['sum/a', 'Completed'],
    ],
    'and nothing is left to begin',
  )
  t.strictSame(runs.at(-1).tags, ['maths', 'daily'])
  t.type(runs.at(-1).scheduledTime, 'string')

  rmSync(join(folder, 'all.ts'))
  t.match(await mintaka('deployment', 'execute', 'sum/a'), {
    code: 1,
    stderr: /^error: Deployment 'sum\/a' is of .*all\.ts, which is not there\. .*mintaka deployment create FILE\.\n$/,
  })
})

interface Ran {
  readonly deployment: string
  readonly state: { readonly name: string }
}
