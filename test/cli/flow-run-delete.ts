import { fileURLToPath } from 'node:url'
import { type Test, test } from 'tap'
import { sessionIn } from './fixtures/session.js'

const goldenStore = fileURLToPath(new URL('fixtures/golden-store.mjs', import.meta.url))
const now = Date.parse('2026-10-01T12:00:00Z')

async function prepared(t: Test) {
  const session = sessionIn(t, t.testdir(), { now })
  await session.prepare(goldenStore)
  const names = async () =>
    (JSON.parse((await session('flow-run', 'ls', '--json')).stdout) as { name: string }[]).map(({ name }) => name)
  return Object.assign(session, { names })
}

test('flow runs are deleted with their subflow runs; the others stay', async t => {
  const mintaka = await prepared(t)
  t.strictSame(await mintaka.names(), ['busy-bee', 'plain-wren', 'tidy-mole', 'eager-otter', 'calm-heron'])
  const dry = await mintaka('flow-run', 'delete', 'eager-otter', '--dry-run')
  t.strictSame([dry.code, dry.stdout], [0, '2 flow runs would be deleted.\n'])
  const done = await mintaka('flow-run', 'delete', 'eager-otter', '1aa0', '1aa0c4', '--yes', '--json')
  t.equal(done.code, 0, done.stderr)
  t.match(JSON.parse(done.stdout), { flowRuns: 3, bytes: Number, claims: 0, dryRun: false })
  t.strictSame(await mintaka.names(), ['busy-bee', 'plain-wren'])
  t.equal((await mintaka('flow-run', 'inspect', 'eager-otter')).code, 1)
  t.equal((await mintaka('store', 'verify')).code, 0)
})

test('what cannot go stops all of it, and says why', async t => {
  const mintaka = await prepared(t)
  const refused = async (word: string, why: RegExp) => {
    const { code, stdout, stderr } = await mintaka('flow-run', 'delete', 'calm-heron', word, '-y')
    t.strictSame([code, stdout], [1, ''], word)
    t.match(stderr, why)
  }
  await refused('busy-bee', /has not ended: it is Running\. mintaka flow-run cancel busy-bee ends it/)
  await refused('tidy-mole', /it is part of flow run '3f9c21d0a7b845xz': delete that one/)
  await refused('eager-oter', /Did you mean 'eager-otter'/)
  t.equal((await mintaka.names()).length, 5)
})

test('a person is asked; where there is nobody, it must be said beforehand', async t => {
  const mintaka = await prepared(t)
  const { code, stderr } = await mintaka('flow-run', 'delete', 'calm-heron')
  t.equal(code, 1)
  t.match(stderr, 'Delete calm-heron of flow report? Nobody is here to be asked: say so by --yes.')
  t.equal((await mintaka.names()).length, 5)
})
