import { join } from 'node:path'
import { test } from 'tap'
import { checkFile } from '../../lib/shipping/index.js'

const code = `import { task, flow } from 'mintaka'
throw new Error('a check does not run the file')
const map = new Map()
fill(map)
task('fine', (n: number) => n)
function factory(k: number, o: object) {
  task('local', () => k)
  task('listed', () => k, { captures: { k } })
  task('unclear', () => k, { ...o })
}
task('filled', () => map)
task('twice', () => 1)
for (const name of ['a']) task(name, () => 1)
task('twice', () => 2)
task.fromModule(import.meta.url, 'other')
task.python('a:b')
function fill(_: unknown) {}
`

test('a check tells of each task whether workers can run it, without running the file', async t => {
  const folder = t.testdir({ 'a.ts': code })
  const findings = await checkFile(join(folder, 'a.ts'))
  t.strictSame(
    findings.map(({ line, task, level, code }) => [line, task, level, code]),
    [
      [5, 'fine', 'ok', undefined],
      [7, 'local', 'error', 'CAPTURES_LOCAL'],
      [8, 'listed', 'ok', undefined],
      [9, 'unclear', 'ok', undefined],
      [11, 'filled', 'warning', 'MAYBE_STALE'],
      [12, 'twice', 'error', 'DUPLICATE_NAME'],
      [13, '', 'error', 'NOT_LOCATED'],
      [14, 'twice', 'error', 'DUPLICATE_NAME'],
    ],
  )
  t.match(findings[4]!.message, /^a\.ts:4 runs at the top level and uses 'map'/)
  t.match(findings[6]!.message, /a\.ts:13/)
})

test('a check of a file that is not JavaScript says where it is not', async t => {
  const folder = t.testdir({ 'a.ts': 'const a = {\n  b: }' })
  const [finding, ...others] = await checkFile(join(folder, 'a.ts'))
  t.match(finding, { level: 'error', code: 'BUILD', line: 2, message: /^a\.ts:2:6 / })
  t.strictSame(others, [])
})

test('a check of a file without tasks, and of none, finds nothing', async t => {
  const folder = t.testdir({ 'a.ts': 'export const a = 1' })
  t.strictSame(await checkFile(join(folder, 'a.ts')), [])
  await t.rejects(checkFile(join(folder, 'b.ts')), { code: 'ENOENT' })
})

test('a check for other machines also tells what they would not have', async t => {
  const far = `import { readFileSync } from 'node:fs'
import { task } from 'mintaka'
import { parseSync } from 'oxc-parser'
import { old } from './old.cjs'
task('fine', (n: number) => n)
task('asset', () => readFileSync(new URL('./a.json', import.meta.url)))
task('listed', () => readFileSync(new URL('./a.json', import.meta.url)), { files: ['a.json'] })
task('native', () => parseSync('a.js', ''))
task('installed', () => parseSync('a.js', ''), { external: ['oxc-parser'] })
task('package', () => old)
function factory(k: number) { task('local', () => k) }
`
  const folder = t.testdir({
    'a.ts': far,
    'a.json': '{}',
    'old.cjs': "exports.old = require('asks')",
    node_modules: { asks: { 'package.json': '{}', 'index.js': 'module.exports = __dirname' } },
  })
  const near = await checkFile(join(folder, 'a.ts'))
  t.strictSame(
    near.filter(({ level }) => level !== 'ok').map(({ task }) => task),
    ['local'],
  )
  const findings = await checkFile(join(folder, 'a.ts'), { remote: true })
  t.strictSame(
    findings.map(({ line, task, level, code }) => [line, task, level, code]),
    [
      [5, 'fine', 'ok', undefined],
      [6, 'asset', 'error', 'ASSET'],
      [7, 'listed', 'ok', undefined],
      [8, 'native', 'error', 'NATIVE'],
      [9, 'installed', 'ok', undefined],
      [10, 'package', 'warning', 'ASSET'],
      [11, 'local', 'error', 'CAPTURES_LOCAL'],
    ],
  )
  t.match(findings[5]!.message, /asks index.js:1/)
})
