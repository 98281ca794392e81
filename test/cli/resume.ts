import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import tap, { type Test, test } from 'tap'
import { mintakaIn } from './fixtures/mintaka.js'

tap.setTimeout(240_000) // dozens of processes, on whatever machine this is

/** A flow whose third task does what the file `mode` says; each task that runs is noted in `witness`. */
const flows = `
  import { appendFileSync, readFileSync } from 'node:fs'
  import { flow, task } from 'mintaka'
  const step = task('step', async (name, from) => {
    appendFileSync(from + '/witness', name + '\\n')
    const mode = readFileSync(from + '/mode', 'utf8')
    if (name === 'c' && mode === 'fail') throw new Error('the disk is full')
    if (name === 'c' && mode === 'die') process.kill(process.pid, 'SIGKILL')
    if (name === 'c' && mode === 'hang') await new Promise(resolve => setTimeout(resolve, 60_000))
    return name
  })
  export const letters = flow('letters', async ({ from }) => {
    const done = []
    for (const name of ['a', 'b', 'c', 'd']) done.push(await step(name, from))
    return done.join('')
  })
`

function project(t: Test, mode: string) {
  const folder = t.testdir({ 'letters.mjs': flows, mode, witness: '' })
  const mintaka = mintakaIn(folder)
  const params = JSON.stringify({ from: folder })
  return {
    folder,
    mintaka,
    run: () => mintaka('run', 'letters.mjs', '--params', params),
    start: () => mintaka.start('run', 'letters.mjs', '--params', params),
    become: (mode: string) => writeFileSync(`${folder}/mode`, mode),
    ran: () => readFileSync(`${folder}/witness`, 'utf8').split('\n').filter(Boolean).join(''),
    newest: async () => JSON.parse((await mintaka('flow-run', 'ls', '--json')).stdout)[0] as Listed,
  }
}

interface Listed {
  readonly id: string
  readonly name: string
  readonly state: { readonly name: string }
  readonly continues?: string
}

test('retry tries again what has failed, and takes over the rest', async t => {
  const { mintaka, run, become, ran, newest } = project(t, 'fail')
  t.equal((await run()).code, 1)
  const failed = await newest()
  const again = await mintaka('flow-run', 'retry', failed.name)
  t.equal(again.code, 1)
  t.match(again.stderr, 'the disk is full')
  become('work')
  const { code, stdout } = await mintaka('flow-run', 'retry', (await newest()).id.slice(0, 8))
  t.strictSame([code, stdout], [0, '"abcd"\n'])
  t.equal(ran(), 'abcccd')
  const done = await newest()
  const inspected = await mintaka('flow-run', 'inspect', done.id)
  t.match(inspected.stdout, `continues   ${done.continues}`)
  t.match(
    inspected.stdout,
    /Resumed\n {2}taken over +step ×2\n {2}ran again +step: step-\w+-2 \("c", .*\n {2}new +step: step-\w+-3/,
  )
  t.match(inspected.stdout, /step-\w+-0 +Cached/)
  const json = JSON.parse((await mintaka('flow-run', 'inspect', done.id, '--json')).stdout)
  t.match(json, { divergence: { diverged: false, reused: [{ taskName: 'step', count: 2 }] } })
})

test('a flow run that was killed is resumed from its last completed task', async t => {
  const { mintaka, start, become, ran, newest } = project(t, 'die')
  const { signal } = await new Promise<{ signal: string | null }>(resolve => {
    const { child } = start()
    child.once('close', (_code, signal) => resolve({ signal }))
  })
  t.equal(signal, 'SIGKILL')
  const { id, name } = await newest()
  const wrong = await mintaka('flow-run', 'retry', id)
  t.equal(wrong.code, 1)
  t.match(wrong.stderr, new RegExp(`is \\w+, not Failed. .*${''}`))
  become('work')
  const { code, stdout } = await mintaka('flow-run', 'resume', name)
  t.strictSame([code, stdout], [0, '"abcd"\n'])
  t.equal(ran(), 'abccd')
  const again = await mintaka('flow-run', 'resume', id)
  t.equal(again.code, 1)
  t.match(again.stderr, /cannot be resumed. It was continued by flow run .* has completed: there is nothing to resume/)
})

test('what is cancelled by Ctrl-C is resumed, too', async t => {
  const { mintaka, start, become, ran, newest } = project(t, 'hang')
  const { child, ended } = start()
  while (ran() !== 'abc') await new Promise(resolve => setTimeout(resolve, 10))
  const run = await newest()
  const running = await mintaka('flow-run', 'resume', run.id)
  t.equal(running.code, 1)
  t.match(running.stderr, /has not ended: it is Running/)
  child.kill('SIGINT')
  t.teardown(() => child.kill('SIGKILL'))
  // Nothing can stop the task that hangs: a second signal ends the process.
  await new Promise(resolve => setTimeout(resolve, 200))
  child.kill('SIGINT')
  await ended
  become('work')
  const { code, stdout } = await mintaka('flow-run', 'resume', run.id)
  t.strictSame([code, stdout], [0, '"abcd"\n'])
  t.equal(ran(), 'abccd')
})

test('a flow whose file was moved goes on from there, with nothing done twice', async t => {
  const { folder, mintaka, run, become, ran, newest } = project(t, 'fail')
  await run()
  const { id } = await newest()
  mkdirSync(`${folder}/etl`)
  renameSync(`${folder}/letters.mjs`, `${folder}/etl/alphabet.mjs`)
  t.equal((await mintaka('flow-run', 'resume', id, '--file', 'etl/alphabet.mjs')).code, 1)
  t.equal(ran(), 'abcc')
  renameSync(`${folder}/etl/alphabet.mjs`, `${folder}/again.mjs`)
  become('work')
  const again = await mintaka('flow-run', 'resume', id, '--file', 'again.mjs', '--divergence', 'fail', '--code', 'same')
  t.strictSame([again.code, again.stdout], [0, '"abcd"\n'])
  t.equal(ran(), 'abcccd')
})

test('a file that was moved is named, and one that was edited is told of', async t => {
  const { folder, mintaka, run, become, ran, newest } = project(t, 'fail')
  await run()
  const { id } = await newest()
  become('work')
  renameSync(`${folder}/letters.mjs`, `${folder}/moved.mjs`)
  const missing = await mintaka('flow-run', 'resume', id)
  t.equal(missing.code, 1)
  t.match(
    missing.stderr,
    /was defined in .*letters\.mjs, which is not there\. Say which file defines it now: --file FILE/,
  )
  t.equal((await mintaka('flow-run', 'resume', id, '--file', 'nowhere.mjs')).code, 1)
  renameSync(`${folder}/moved.mjs`, `${folder}/letters.mjs`)
  writeFileSync(`${folder}/letters.mjs`, flows.replace("['a', 'b', 'c', 'd']", "['a', 'B', 'c', 'd']"))
  const failed = await mintaka('flow-run', 'resume', id, '--divergence', 'fail')
  t.equal(failed.code, 1)
  t.match(failed.stderr, /does other things than .* It calls step-\w+-1 \("B", .*step: step-\w+-1 \("b"/)
  t.equal(ran(), 'abc', 'nothing ran twice')
  const { code, stdout } = await mintakaIn(folder, { MINTAKA_LOG: 'warn' })('flow-run', 'resume', (await newest()).id)
  t.strictSame([code, stdout], [0, '"aBcd"\n'])
  const inspected = await mintaka('flow-run', 'inspect', (await newest()).id)
  t.match(inspected.stdout, /Resumed, with other calls\n[\s\S]*not asked for +step: step-\w+-1 \("b"/)
})

test('help tells how', async t => {
  const mintaka = mintakaIn(t.testdir())
  const resume = await mintaka('flow-run', 'resume', '--help')
  t.match(resume.stdout, /--divergence[\s\S]*--code[\s\S]*mintaka flow-run resume eager-otter/)
  t.match((await mintaka('flow-run', 'retry', '--help')).stdout, 'mintaka flow-run retry eager-otter')
  t.equal((await mintaka('flow-run', 'resume', 'nobody')).code, 1)
  t.equal((await mintaka('flow-run', 'resume', 'x', '--code', 'other')).code, 2)
})
