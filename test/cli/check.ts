import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { mintakaIn } from './fixtures/mintaka.js'

const files = {
  'good.ts': `
import { writeFileSync } from 'node:fs'
import { flow, task } from 'mintaka'
writeFileSync('ran', '')
const double = task('double', (x: number): number => 2 * x)
export const main = flow('main', () => double(1))
`,
  'bad.mjs': `
import { task } from 'mintaka'
export const fine = task('fine', () => 1)
export function times(factor) {
  return task('times', x => x * factor)
}
`,
}

test('a file whose tasks can all be sent is ok, and is never run', async t => {
  const folder = t.testdir(files)
  const { code, stdout } = await mintakaIn(folder)('check', 'good.ts')
  t.strictSame([code, stdout], [0, 'ok       good.ts:5  double\n'])
  t.notOk(existsSync(join(folder, 'ran')))
})

test('says of each task what is wrong, and where', async t => {
  const mintaka = mintakaIn(t.testdir(files))
  const { code, stdout } = await mintaka('check', 'good.ts', 'bad.mjs')
  t.equal(code, 1)
  t.match(
    stdout,
    /^ok {7}good.ts:5 {2}double\nok {7}bad.mjs:3 {2}fine\nerror {4}bad.mjs:5 {2}times\n {9}.*'factor'.*CAPTURES_LOCAL/,
  )
  const found = JSON.parse((await mintaka('check', 'bad.mjs', '--json')).stdout)
  t.match(found, [
    { file: 'bad.mjs', task: 'fine', line: 3, level: 'ok' },
    { file: 'bad.mjs', task: 'times', line: 5, level: 'error', code: 'CAPTURES_LOCAL', message: /factor/ },
  ])
})

test('asks for other machines too', async t => {
  const mintaka = mintakaIn(
    t.testdir({ 'a.mjs': "import { task } from 'mintaka'\nexport const here = task('here', () => import.meta.url)" }),
  )
  t.equal((await mintaka('check', 'a.mjs')).code, 0)
  const { code, stdout } = await mintaka('check', 'a.mjs', '--remote')
  t.equal(code, 1)
  t.match(stdout, /^error {4}a.mjs:2 {2}here\n {9}.*\(a.mjs:2: import.meta.url\).*\(ASSET\)/)
})

test('a file that is missing, or defines no tasks, is told', async t => {
  const mintaka = mintakaIn(t.testdir({ 'empty.ts': 'export {}' }))
  const missing = await mintaka('check', 'nowhere.ts')
  t.equal(missing.code, 1)
  t.match(missing.stdout, 'There is no such file')
  const empty = await mintaka('check', 'empty.ts')
  t.equal(empty.code, 0)
  t.match(empty.stdout, 'empty.ts defines no tasks')
  t.equal((await mintaka('check')).code, 2)
})
