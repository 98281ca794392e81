// What the scheduler is told of tasks: what they take, where they may run, what goes first, what it tries again.

import { annotate, DaskExecutor, flow, task, taskContext } from 'mintaka'

const train = task('train', (model: string) => `${model} trained`, { annotations: { resources: { GPU: 1 } } })
const load = task('load', (name: string) => name.toUpperCase())
const flaky = task('flaky', () => `attempt ${taskContext().attempt} as Mintaka counts`)

const main = flow('main', async () => {
  const data = annotate({ priority: 10 }, () => load('data')) // a scope: reaches what is called in it, subflows too
  const models = ['small', 'large'].map(model => train(model)) // by task
  const again = flaky.with({ annotations: { retries: 2 } })() // by call: Dask itself runs it again
  return { data, models, again }
})

const executor = new DaskExecutor({ clusterOptions: { workers: 2, threadsPerWorker: 1, resources: { GPU: 1 } } })
console.log(await main.with({ executor })())

// What no worker offers is said within seconds, with what there is.
const huge = task('huge', () => 1, { annotations: { resources: { TPU: 1 } } })
const state = await flow('too much', () => huge(), { executor })().wait()
console.log(state.name, 'error' in state && /takes 1 TPU/.test(String(state.error)) ? 'because of its TPU' : state)
