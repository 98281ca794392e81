import { t as tap, test } from 'tap'
import { checkFile } from '../../lib/shipping/index.js'
import { load, ship, source, taskIn } from './fixtures/ship.js'

const folder = tap.testdir()
const name = 'setup of ParallelExecutor'
const shipped = async (file: string) => load(await ship(taskIn(file, name)))

test('the function of new ParallelExecutor({ setup }) travels as that of a task does', async t => {
  const file = source(
    folder,
    'plain.ts',
    `import { flow, ParallelExecutor as Threads, task } from 'mintaka'
     const words: string[] = ['a', 'b']
     const other = task('other', () => words.length)
     export const main = flow('main', () => other(), {
       executor: new Threads({ threads: 2, setup: async (): Promise<string> => words.join('+') }),
     })
     throw new Error('the top level of the file ran')`,
  )
  const setup = await shipped(file)
  t.equal(await setup(), 'a+b')
  t.match(await checkFile(file), [
    { task: 'other', level: 'ok' },
    { task: name, level: 'ok', line: 5 },
  ])
})

test('it may be named', async t => {
  const file = source(
    folder,
    'named.mjs',
    `import * as mintaka from 'mintaka'
     function warmUp() { return 'warm' }
     const executor = new mintaka.ParallelExecutor({ setup: warmUp })`,
  )
  t.equal((await shipped(file))(), 'warm')
})

test('what it may not use is said as of a task', async t => {
  const file = source(
    folder,
    'local.mjs',
    `import { ParallelExecutor } from 'mintaka'
     const make = secret => new ParallelExecutor({ setup: () => secret })`,
  )
  await t.rejects(ship(taskIn(file, name)), { code: 'CAPTURES_LOCAL', message: /'secret'/ })
})

test('an executor whose setup is a task has no function to be found', async t => {
  const file = source(
    folder,
    'tasks.mjs',
    `import { ParallelExecutor, task } from 'mintaka'
     const prepare = task('prepare', () => 'task')
     const one = new ParallelExecutor({ setup: prepare })
     const two = new ParallelExecutor({ setup: task('inline', () => 'inline') })
     const three = new ParallelExecutor({ setup: () => 'plain' })
     const four = new ParallelExecutor({ threads: 2 })
     const five = new ParallelExecutor()`,
  )
  t.equal((await shipped(file))(), 'plain')
})

for (const [what, text, found] of [
  ['two of a file', 'new ParallelExecutor({ setup: () => 1 }); new ParallelExecutor({ setup: () => 2 })', '2 of them'],
  [
    'one beside another that is hidden',
    'new ParallelExecutor({ setup: () => 1 }); new ParallelExecutor(hidden)',
    '2 of',
  ],
  ['one in a spread', 'new ParallelExecutor({ ...hidden })', 'none is plain to see'],
  ['a method', 'new ParallelExecutor({ setup() { return 1 } })', 'none is plain to see'],
  ['one that is elsewhere', '1', 'none is plain to see'],
] as const) {
  test(`${what} is refused: it could be mistaken`, async t => {
    const file = source(t.testdir(), 'file.mjs', `import { ParallelExecutor, hidden } from 'mintaka'\n${text}`)
    await t.rejects(ship(taskIn(file, name)), {
      code: 'NOT_LOCATED',
      message: new RegExp(`${found}.* in file\\.mjs\\. Make it a task.*task\\('set up'`),
    })
  })
}
