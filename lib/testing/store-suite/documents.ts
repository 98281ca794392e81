import assert from 'node:assert/strict'
import type { StoreTest } from './runs.js'

/** Documents, if the store has them. */
export function documentTests(test: StoreTest): void {
  test('documents are made, replaced, listed by key, and removed', async store => {
    const { documents } = store
    if (!documents) return
    assert.equal(await documents.get('deployments', 'a/b'), undefined)
    assert.deepEqual(await documents.list('deployments'), [])
    await documents.put('deployments', 'c/d', { tags: ['x'] })
    await documents.put('deployments', 'a/b', { paused: false })
    await documents.put('deployments', 'a/b', { paused: true })
    await documents.put('others', 'a/b', null)
    assert.deepEqual(await documents.get('deployments', 'a/b'), { paused: true })
    assert.deepEqual(await documents.list('deployments'), [
      { key: 'a/b', value: { paused: true } },
      { key: 'c/d', value: { tags: ['x'] } },
    ])
    assert.equal(await documents.remove('deployments', 'a/b'), true)
    assert.equal(await documents.remove('deployments', 'a/b'), false)
    assert.deepEqual(await documents.list('others'), [{ key: 'a/b', value: null }])
  })

  test('of many that create one document one does', async store => {
    const { documents } = store
    if (!documents) return
    const made = await Promise.all([1, 2, 3].map(value => documents.create('kind', 'key', value)))
    assert.equal(made.filter(Boolean).length, 1)
    assert.equal(await documents.get('kind', 'key'), made.indexOf(true) + 1)
    await documents.remove('kind', 'key')
    assert.equal(await documents.create('kind', 'key', 4), true)
  })

  test('what is done exclusively is done by one at a time', async store => {
    const { documents } = store
    if (!documents) return
    let end = () => {}
    const ended = new Promise<void>(resolve => {
      end = resolve
    })
    const first = documents.exclusively('schedule', async () => {
      await ended
      return 1
    })
    assert.equal(await documents.exclusively('schedule', async () => 2), undefined)
    assert.deepEqual(await documents.exclusively('another', async () => 3), { value: 3 })
    end()
    assert.deepEqual(await first, { value: 1 })
    await assert.rejects(
      documents.exclusively('schedule', () => Promise.reject(new Error('no'))),
      /no/,
    )
    assert.deepEqual(await documents.exclusively('schedule', async () => 4), { value: 4 })
  })
}
