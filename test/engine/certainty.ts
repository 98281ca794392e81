import { test } from 'tap'
import type { Dependence } from '../../lib/core/dependence.js'
import { isCertain } from '../../lib/engine/certainty.js'
import type { TaskDefinition } from '../../lib/engine/definitions.js'
import { stderrLogger } from '../../lib/engine/logger.js'

const log = stderrLogger('silent')
const nothing: Dependence = { locals: [], given: [], parameters: [] }

function definitionOf(dependence: TaskDefinition['dependence']): TaskDefinition {
  const fn = () => 1
  return {
    name: 'one',
    code: { name: 'one', fn, source: { type: 'module', url: 'file:///one.js', exportName: 'one' } },
    place: undefined,
    dependence,
    description: undefined,
    tags: [],
    annotations: undefined,
    retries: 0,
    retryDelayMs: 0,
    retryIf: undefined,
    timeoutMs: undefined,
    cacheKey: undefined,
    cacheForMs: undefined,
    persistResult: undefined,
    runName: undefined,
    waitFor: undefined,
    signal: undefined,
  }
}

test('the code of a task is looked at once, however many calls ask before the answer is there', async t => {
  let looks = 0
  const task = definitionOf(async () => {
    looks += 1
    return nothing
  })
  const asked = Array.from({ length: 100 }, () => isCertain(task, 'flow run', log))
  t.ok(asked.every(answer => answer instanceof Promise))
  t.ok((await Promise.all(asked)).every(Boolean))
  t.equal(isCertain(task, 'cache', log), true, 'later ones need not wait')
  t.equal(looks, 1)
})

test('code that could not be looked at is looked at again', async t => {
  let looks = 0
  const task = definitionOf(async () => {
    looks += 1
    if (looks === 1) throw new Error('the file is being written')
    return nothing
  })
  await t.rejects(Promise.resolve(isCertain(task, 'cache', log)), { message: 'the file is being written' })
  t.equal(await isCertain(task, 'cache', log), true)
  t.equal(looks, 2)
})
