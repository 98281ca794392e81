import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { allowFailure, type EngineEvent, flow, tags } from 'mintaka'
import * as tasks from '../executor-tasks.js'
import { type ExecutorTest, until } from './bench.js'

/**
 * Calls run once, when what they wait for is there, and again when they may. `overlaps`: those that are ready run at the
 * same time.
 */
export function callTests(test: ExecutorTest, overlaps: boolean): void {
  test('futures are arguments: a diamond of edges', async ({ engine, executor }) => {
    const diamond = flow('diamond', () => {
      const top = tasks.add(1, 1)
      const left = tasks.double(top)
      const right = tasks.add(top, 10)
      return tasks.sum([left, right])
    })
    assert.equal(await engine.run(diamond, undefined, { executor }), 16)
  })

  test('a chain of 200 edges ends', async ({ engine, executor }) => {
    const chain = flow('chain', () => {
      let last = tasks.add(0, 1)
      for (let link = 1; link < 200; link++) last = tasks.add(last, 1)
      return last
    })
    assert.equal(await engine.run(chain, undefined, { executor }), 200)
  })

  test('what waits for a failed run does not run, unless it allows the failure', async ({ engine, executor, file }) => {
    const seen = file('seen')
    const run = flow('upstream', async () => {
      const failed = tasks.failWith('custom')
      const waiting = tasks.witness.with({ waitFor: [failed] })(seen, 'ran')
      const allowing = tasks.typeOfState(allowFailure(failed))
      return [(await waiting.wait()).name, await allowing]
    })
    assert.deepEqual(await engine.run(run, undefined, { executor }), ['NotReady', 'FAILED'])
    assert.equal(existsSync(seen), false)
  })

  test('a failed attempt is followed by another, and each is counted', async ({ engine, executor }) => {
    const run = engine.run(flow('flaky', () => tasks.flaky.with({ retries: 2 })(3), { executor }))
    assert.equal(await run, 3)
    const [stored] = await engine.taskRuns.list(run.id)
    const names = stored?.states.map(state => state.name)
    assert.deepEqual(names, [
      'Pending',
      'Running',
      'AwaitingRetry',
      'Retrying',
      'AwaitingRetry',
      'Retrying',
      'Completed',
    ])
  })

  test('a task knows its run, its log and its progress reach home', async ({ engine, executor }) => {
    const heard: EngineEvent[] = []
    const events = engine.events()
    const listening = (async () => {
      for await (const event of events) heard.push(event)
    })()
    const run = engine.run(
      flow('context', () => tags(['outer'], () => tasks.context.with({ tags: ['own'] })()), { executor }),
    )
    const context = await run
    const [stored] = await engine.taskRuns.list(run.id)
    assert.deepEqual(context, {
      taskRunId: stored?.run.id,
      taskRunName: stored?.run.name,
      flowRunId: run.id,
      attempt: 1,
      tags: ['own', 'outer'],
    })
    const [line] = await engine.logs(run.id)
    assert.deepEqual(
      [line?.message, line?.level, line?.fields, line?.taskRunId],
      ['from the task', 'info', { answer: 42 }, stored?.run.id],
    )
    await events.return?.()
    await listening
    const progress = heard.find(event => event.type === 'progress')
    assert.deepEqual(progress?.type === 'progress' && [progress.fraction, progress.note], [0.5, 'half'])
  })

  test('a task that is called in a task runs in place', async ({ engine, executor }) => {
    const run = engine.run(flow('nested', () => tasks.nested(4), { executor }))
    assert.equal(await run, 13)
    assert.equal((await engine.taskRuns.list(run.id)).length, 1)
  })

  test('each of 1,000 calls runs once', async ({ engine, executor, file }) => {
    const seen = file('seen')
    const many = flow('many', () => {
      for (let index = 0; index < 1000; index++) void tasks.witness(seen, String(index))
    })
    await engine.run(many, undefined, { executor })
    const lines = readFileSync(seen, 'utf8').trimEnd().split('\n').map(Number)
    assert.deepEqual(
      lines.sort((a, b) => a - b),
      Array.from({ length: 1000 }, (_, index) => index),
    )
  })

  test(overlaps ? 'tasks that are ready overlap' : 'tasks run one after the other, in call order', async bench => {
    const { engine, executor, file } = bench
    if (overlaps) {
      const run = flow('meeting', async () => [tasks.meet(file('a'), file('b')), tasks.meet(file('b'), file('a'))])
      assert.deepEqual(await engine.run(run, undefined, { executor }), ['met', 'met'])
      return
    }
    const log = file('log')
    const ordered = flow('ordered', () => {
      for (const name of ['one', 'two', 'three']) void tasks.guarded(log, name, file('gate'))
    })
    const running = engine.run(ordered, undefined, { executor })
    await until(() => existsSync(log))
    writeFileSync(file('gate'), '')
    await running
    const lines = readFileSync(log, 'utf8').trimEnd().split('\n')
    assert.deepEqual(lines, ['one begins', 'one ends', 'two begins', 'two ends', 'three begins', 'three ends'])
  })
}
