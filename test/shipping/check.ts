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
