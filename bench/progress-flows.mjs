// For bench/progress.ts: flows of many task runs, and of many subflows. They give the processor time that they took, in milliseconds.
import { flow, task } from 'mintaka'

const increment = task('increment', async n => n + 1)
const decrement = task('decrement', async n => n - 1)

async function manyTasks(count) {
  for (let from = 0; from < count; from += 1000) {
    await Promise.all(Array.from({ length: 500 }, (_, index) => [increment(index), decrement(index)]).flat())
  }
}

const inner = flow('inner', () => manyTasks(1000))

const timed = work => async count => {
  const begin = process.cpuUsage()
  await work(count)
  const { user, system } = process.cpuUsage(begin)
  return Math.round((user + system) / 1000)
}

export const tasks = flow('tasks', timed(manyTasks))
export const subflows = flow(
  'subflows',
  timed(count => Promise.all(Array.from({ length: count }, () => inner()))),
)
