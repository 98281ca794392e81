import { MemoryStore } from 'mintaka'
import { test } from 'tap'
import { isNobodyThere, lockOf, whileListed } from '../../lib/deployments/agents.js'

const taker = { agent: 'a1', pid: 1, host: 'here' }

test('an agent is there while it lives, and not before and after', async t => {
  const { documents } = new MemoryStore()
  t.equal(await isNobodyThere(documents), true)
  const life = async () => void t.equal(await isNobodyThere(documents), false)
  t.equal(await whileListed(documents, taker, life), true)
  t.equal(await isNobodyThere(documents), true)
  t.strictSame(await documents.list('agents'), [])
})

test('what an agent left that died is removed by who looks', async t => {
  const { documents } = new MemoryStore()
  await t.rejects(
    whileListed(documents, taker, async () => {
      throw new Error('killed')
    }),
  )
  t.equal((await documents.list('agents')).length, 1)
  t.equal(await isNobodyThere(documents), true)
  t.strictSame(await documents.list('agents'), [])
})

test('a lock that somebody holds is not entered twice', async t => {
  const { documents } = new MemoryStore()
  await documents.exclusively(lockOf('a1'), async () => {
    t.equal(await whileListed(documents, taker, async () => void t.fail('it lives twice')), false)
  })
})
