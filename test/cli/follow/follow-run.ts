import { test } from 'tap'
import { RunFollower } from '../../../lib/cli/follow/follow-run.js'
import { states } from '../../../lib/core/state.js'
import { MemoryStore } from '../../../lib/store/memory.js'
import { codec } from '../../../lib/values/json.js'
import { change, flowRun, taskRun } from '../../store/fixtures/runs.js'

async function following() {
  const store = new MemoryStore()
  await store.open({ owner: 'w', codec, warn: () => {} })
  const told: string[] = []
  const follower = new RunFollower(store, 'top', {
    flowRun: (run, from, to) => told.push(`${run.id} ${from?.name ?? 'none'} ${to.name} ${run.state.name}`),
    taskRun: (run, from, to) => told.push(`${run.id} ${from?.name ?? 'none'} ${to.name}`),
  })
  const look = async () => {
    const progress = await follower.look()
    return [progress, ...told.splice(0)]
  }
  return { store, look }
}

test('each state is told once, those of a subflow run among them', async t => {
  const { store, look } = await following()
  const top = flowRun('top')
  await store.createFlowRun(top)
  await change(store, top, states.running(1001, 1))
  t.strictSame(await look(), ['going on', 'top none Pending Pending', 'top Pending Running Running'])
  t.strictSame(await look(), ['going on'])
  const mirror = taskRun('top-0', 'top', { childFlowRunId: 'sub' })
  await store.createTaskRun(mirror)
  const sub = flowRun('sub', { parentFlowRunId: 'top' })
  await store.createFlowRun(sub)
  const task = taskRun('sub-0', 'sub')
  await store.createTaskRun(task)
  await change(store, task, states.running(1002, 1))
  t.strictSame(await look(), [
    'going on',
    'top-0 none Pending',
    'sub none Pending Pending',
    'sub-0 none Pending',
    'sub-0 Pending Running',
  ])
  await change(store, task, states.completed(1003, 1))
  await change(store, sub, states.completed(1004, 1))
  await change(store, mirror, states.completed(1004, 1))
  await change(store, top, states.completed(1005, 1))
  t.strictSame(
    await look(),
    [
      'ended',
      'top-0 Pending Completed',
      'sub-0 Running Completed',
      'sub Pending Completed Completed',
      'top Running Completed Completed',
    ],
    'the end of a flow run comes after what is below it',
  )
  t.strictSame(await look(), ['gone'], 'what has ended is not read again')
})

test('a flow run that has ended before is told from its beginning', async t => {
  const { store, look } = await following()
  const top = flowRun('top')
  await store.createFlowRun(top)
  const task = taskRun('top-0', 'top')
  await store.createTaskRun(task)
  await change(store, task, states.running(1002, 1))
  await change(store, task, states.failed(1003, new Error('no')))
  await change(store, top, states.failed(1004, new Error('no')))
  t.strictSame(await look(), [
    'ended',
    'top none Pending Pending',
    'top-0 none Pending',
    'top-0 Pending Running',
    'top-0 Running Failed',
    'top Pending Failed Failed',
  ])
})
