/** A slice of `npm run torture`, from another seed each time. */
import { t as tap } from 'tap'
import { seedFromEnvironment } from '../fixtures/random.js'
import { story } from './fixtures/story.js'
import { torture } from './fixtures/torture.js'

tap.setTimeout(300_000)

const seed = seedFromEnvironment()
const count = Number(process.env['COUNT'] ?? 3000)

story(`${count} tasks of every kind at once: each runs once and ends as it must (seed ${seed})`, async (t, watch) => {
  t.comment(`SEED=${seed}`)
  const { states, wrong, threadsStarted } = await torture(watch, { seed, count })
  t.comment(`${[...states].map(([name, times]) => `${times} ${name}`).join(', ')}; ${threadsStarted} threads`)
  t.ok((states.get('Completed') ?? 0) > count / 3, 'some of the flows are cancelled as a whole')
  if (wrong.length > 0) t.fail('each ends as it must', { wrong: wrong.slice(0, 20), count: wrong.length })
})
