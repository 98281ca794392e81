import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import tap, { type Test, test } from 'tap'
import { mintakaIn } from './fixtures/mintaka.js'
import { sessionIn } from './fixtures/session.js'

tap.setTimeout(180_000)

const flows = `
  import { flow, task, taskContext } from 'mintaka'
  const never = task('never', () => new Promise((_, reject) => {
    const timer = setTimeout(reject, 1e9)
    taskContext().signal.addEventListener('abort', () => { clearTimeout(timer); reject(new Error('stopped')) })
  }))
  export const long = flow('long', async () => { console.log('begun'); await never() }).with({ name: 'busy-bee' })
  export const short = flow('short', () => 1).with({ name: 'calm-heron' })
  export const deaf = flow('deaf', async () => { await new Promise(resolve => setTimeout(resolve, 20)); console.log('begun'); for (;;); }).with({ name: 'deaf-owl' })
`

/** A flow run of another process, which has begun. */
async function begun(t: Test, folder: string, flow: string) {
  const { child, ended } = mintakaIn(folder).start('run', `flows.mjs:${flow}`)
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return { child, ended }
}

test('a flow run of another process is cancelled, and its end is waited for', async t => {
  const folder = t.testdir({ 'flows.mjs': flows })
  const mintaka = sessionIn(t, folder)
  const { ended } = await begun(t, folder, 'long')
  const { code, stdout, stderr } = await mintaka('flow-run', 'cancel', 'busy-bee', '--reason', 'wrong year')
  t.strictSame([code, stdout, stderr], [0, "Flow run 'busy-bee' is Cancelled.\n", ''])
  const end = await ended
  t.equal(end.code, 1)
  t.match(end.stderr, 'wrong year')
  const again = await mintaka('flow-run', 'cancel', 'busy-bee', '--json')
  t.equal(again.code, 0, 'what is asked for is so')
  t.match(JSON.parse(again.stdout), [{ name: 'busy-bee', state: { type: 'CANCELLED', message: /wrong year/ } }])
})

test('a run of a deployment that has not begun is cancelled without anybody', async t => {
  const folder = t.testdir({
    'flows.mjs': `${flows}\nimport { deployment } from 'mintaka'\ndeployment('daily', short)`,
  })
  const mintaka = sessionIn(t, folder)
  await mintaka('deployment', 'create', 'flows.mjs')
  await mintaka('deployment', 'run', 'short/daily', '--name', 'early-bird')
  const { code, stdout, stderr } = await mintaka('flow-run', 'cancel', 'early-bird', '--reason', 'not today')
  t.strictSame([code, stdout, stderr], [0, "Flow run 'early-bird' is Cancelled.\n", ''])
  const listed = JSON.parse((await mintaka('flow-run', 'ls', '--json')).stdout)
  t.match(listed, [{ name: 'early-bird', deployment: 'short/daily', state: { message: /not today/ } }])
})

test('one that has ended otherwise is told, with exit code 1; one that is not there cancels none', async t => {
  const folder = t.testdir({ 'flows.mjs': flows })
  await mintakaIn(folder)('run', 'flows.mjs:short')
  const mintaka = sessionIn(t, folder)
  const ended = await mintaka('flow-run', 'cancel', 'calm-heron')
  t.strictSame([ended.code, ended.stdout], [1, "Flow run 'calm-heron' had ended before: it is Completed.\n"])
  const none = await mintaka('flow-run', 'cancel', 'calm-heron', 'calm-hron')
  t.strictSame([none.code, none.stdout], [1, ''])
  t.match(none.stderr, "Did you mean 'calm-heron'?")
})

test('a process that has no time to look is told of when time is out; when it has died, its run is Crashed', async t => {
  const folder = t.testdir({ 'flows.mjs': flows })
  const mintaka = sessionIn(t, folder)
  const { child, ended } = await begun(t, folder, 'deaf')
  const posted = await mintaka('flow-run', 'cancel', 'deaf-owl', '--no-wait')
  t.strictSame([posted.code, posted.stdout], [0, "Flow run 'deaf-owl' has been asked to end.\n"])
  const late = await mintaka('flow-run', 'cancel', 'deaf-owl', '--timeout', '0.2')
  t.equal(late.code, 1)
  t.match(late.stderr, /'deaf-owl' is Running after 0\.2 s\. .*mintaka store recover --owner [0-9a-z]{16} --force/)
  const waiting = mintaka('flow-run', 'cancel', 'deaf-owl')
  child.kill('SIGKILL')
  const crashed = await waiting
  await ended
  t.equal(crashed.code, 1)
  t.match(crashed.stdout, /^Flow run 'deaf-owl' is Crashed: The process \d+ .* ended without finishing it\./)
})

test('a scheduled run that has not begun never will', async t => {
  const folder = t.testdir({
    'daily.mjs': "import { deployment, flow } from 'mintaka'\ndeployment('daily', flow('report', () => 1))",
  })
  const mintaka = sessionIn(t, folder)
  await mintaka('deployment', 'create', 'daily.mjs')
  await mintaka('deployment', 'run', 'report/daily', '--name', 'later-newt')
  const watching = sessionIn(t, folder)('flow-run', 'watch', 'later-newt')
  const { code, stdout } = await mintaka('flow-run', 'cancel', 'later-newt', '--reason', 'not today')
  t.strictSame([code, stdout], [0, "Flow run 'later-newt' is Cancelled.\n"])
  t.match((await mintaka('flow-run', 'inspect', 'later-newt')).stdout, /state {7}Cancelled: .*not today/)
  t.match(await watching, { code: 1, stdout: /later-newt {2}Scheduled[\s\S]*later-newt {2}Cancelled/ })
  t.equal((await mintaka('flow-run', 'cancel', 'later-newt')).code, 0)
})

test('the runs of a process on another machine are ended when somebody answers for it', async t => {
  const folder = t.testdir()
  const now = Date.now()
  const mintaka = sessionIn(t, folder)
  const foreignStore = fileURLToPath(new URL('fixtures/foreign-store.mjs', import.meta.url))
  await mintaka.prepare(foreignStore, 'f1f2f3f4f5f6f7f8', 'a1b2c3d4e5f6g7h8', 'far-goose', now)
  const plain = await mintaka('store', 'recover')
  t.strictSame(
    [plain.code, plain.stdout],
    [0, 'There is nothing to recover.\n'],
    'nobody here can see that it has died',
  )
  const unsure = await mintaka('store', 'recover', '--owner', 'f1f2')
  t.equal(unsure.code, 1)
  t.match(unsure.stderr, /process 4242 on elsewhere .* say so by --force/)
  const near = await mintaka('store', 'recover', '--owner', 'f1f2f3f4f5f6f7f9', '--force')
  t.equal(near.code, 1)
  t.match(near.stderr, "Did you mean 'f1f2f3f4f5f6f7f8'?")
  const done = await mintaka('store', 'recover', '--owner', 'f1f2', '--force')
  t.equal(done.code, 0)
  t.match(done.stdout, 'Flow run a1b2c3d4e5f6g7h8 far-goose of flow far is Crashed.')
  t.match(
    (await mintaka('flow-run', 'inspect', 'far-goose')).stdout,
    /state {7}Crashed: The process 4242 on host 'elsewhere'/,
  )
})

test('an owner that lives here is not given up', async t => {
  const folder = t.testdir({ 'flows.mjs': flows })
  const mintaka = sessionIn(t, folder)
  await begun(t, folder, 'long')
  const [run] = JSON.parse((await mintaka('flow-run', 'ls', '--json')).stdout) as { owner: string }[]
  const { code, stderr } = await mintaka('store', 'recover', '--owner', run!.owner, '--force')
  t.equal(code, 1)
  t.match(stderr, /which goes on\. End that first/)
  t.match((await mintaka('flow-run', 'inspect', 'busy-bee')).stdout, /state {7}Running\n/)
})
