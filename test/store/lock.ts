import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { type Test, test } from 'tap'
import { temporaryName } from '../../lib/store/files.js'
import { sweepLock, takeLock } from '../../lib/store/lock.js'
import { type ProcessId, thisProcess } from '../../lib/store/process-id.js'

function lockIn(t: Test) {
  const folder = t.testdir({ tmp: {} })
  const path = `${folder}/fold.lock`
  const temporary = () => `${folder}/tmp/${temporaryName()}`
  const heldBy = (process: ProcessId, token = 'abc') => writeFileSync(path, JSON.stringify({ token, process }))
  return { folder, path, temporary, heldBy, take: () => takeLock(path, temporary) }
}

function deadProcess(): ProcessId {
  return { ...thisProcess(), pid: spawnSync(process.execPath, ['--version']).pid }
}

test('a lock is held by one, and can be had again when it has been given back', t => {
  const { folder, take } = lockIn(t)
  const lock = take()
  t.ok(lock.held)
  t.match(take(), { held: false, why: `process ${process.pid} holds it` })
  if (lock.held) lock.release()
  t.strictSame(readdirSync(folder), ['tmp'])
  t.ok(take().held)
  t.end()
})

test('the lock of a dead process is taken over by one of those who try, and nothing is left of it', t => {
  const { folder, path, take, heldBy } = lockIn(t)
  heldBy(deadProcess())
  const locks = [take(), take(), take()]
  t.strictSame(
    locks.map(({ held }) => held),
    [true, false, false],
  )
  for (const lock of locks) if (lock.held) lock.release()
  t.strictSame(readdirSync(folder), ['tmp'])
  t.notOk(existsSync(path))
  t.end()
})

test('one who has died after taking over is taken over as well', t => {
  const { folder, path, take, heldBy } = lockIn(t)
  heldBy(deadProcess(), 'first')
  writeFileSync(`${path}.first`, JSON.stringify({ token: 'second', process: deadProcess() }))
  const lock = take()
  t.ok(lock.held)
  t.notOk(take().held)
  if (lock.held) lock.release()
  t.strictSame(readdirSync(folder), ['tmp'])
  t.end()
})

test('who takes over a lock that has been given back in the meantime does not have it', t => {
  const { path, take, temporary } = lockIn(t)
  // Somebody has seen the dead holder; since then another one took over, gave back, and a third one has the lock.
  writeFileSync(path, JSON.stringify({ token: 'third', process: thisProcess() }))
  writeFileSync(`${path}.dead`, JSON.stringify({ token: 'too late', process: thisProcess() }))
  t.notOk(take().held)
  t.notOk(takeLock(path, temporary).held)
  t.end()
})

test('a lock of another host is left alone, with advice; so is one that nobody can read', t => {
  const { take, heldBy, path } = lockIn(t)
  heldBy({ ...deadProcess(), host: 'elsewhere' })
  t.match(take(), {
    held: false,
    why: /on host 'elsewhere'/,
    advice: /If that process is gone for good, remove .*fold\.lock/,
  })
  writeFileSync(path, 'half of a l')
  t.match(take(), { held: false, advice: /Remove .*fold\.lock/ })
  t.end()
})

test('only the lock of a dead process is swept', t => {
  const { path, heldBy, temporary } = lockIn(t)
  heldBy(thisProcess())
  sweepLock(path, temporary)
  t.ok(existsSync(path))
  heldBy(deadProcess())
  sweepLock(path, temporary)
  t.notOk(existsSync(path))
  t.end()
})

test('who releases slowly removes no link of those who took the lock since', t => {
  const { folder, path, take, heldBy } = lockIn(t)
  heldBy(deadProcess(), 'first')
  const lock = take()
  // What somebody made between our removing of the lock and of its links.
  const link = `${path}.later`
  writeFileSync(link, JSON.stringify({ token: 'latest', process: thisProcess() }))
  if (lock.held) lock.release()
  t.strictSame(readdirSync(folder).sort(), ['fold.lock.later', 'tmp'])
  const next = take()
  t.ok(next.held)
  t.notOk(existsSync(link), 'who has the lock removes what leads from nowhere')
  if (next.held) next.release()
  t.strictSame(readdirSync(folder), ['tmp'])
  t.end()
})
