import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import tap, { type Test, test } from 'tap'
import { JsonStore } from '../../lib/store/json.js'
import { codec } from '../../lib/values/json.js'
import { type Acknowledged, violations } from '../store/fixtures/invariants.js'
import { type SmallDisk, smallDisks } from './fixtures/small-disk.js'

// The disk is full while a flow runs. What the host says goes over a pipe, and is the witness. `npm run build` comes first.

tap.setTimeout(120_000)

const fixture = fileURLToPath(new URL('fixtures/writing-host.mjs', import.meta.url))

/** What the host says, one thing at a time. */
interface Said {
  readonly began?: number
  readonly acknowledged?: string
  readonly event?: 'store-degraded' | 'store-restored'
  readonly reason?: string
  readonly warning?: string
  readonly flowRun?: string
  readonly name?: string
  readonly state?: string
  readonly code?: string
  readonly closed?: string
  readonly message?: string
  readonly stray?: string
}

function start(t: Test, folder: string, { count, durability = 'process', patience = '' }: Record<string, string>) {
  const args = [folder, count!, durability, ...(patience === '' ? [] : [patience])]
  const child = fork(fixture, args, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: [],
    env: { PATH: process.env['PATH'] },
  })
  t.teardown(() => child.kill('SIGKILL'))
  const said: Said[] = []
  child.on('message', message => void said.push(message as Said))
  // What it said last may come after its end.
  let isOver = false
  const ended = Promise.all([once(child, 'close'), once(child, 'disconnect')]).then(([[code, signal]]) => {
    isOver = true
    return (signal ?? code) as string | number
  })
  const all = <K extends keyof Said>(key: K) => said.flatMap(each => (each[key] === undefined ? [] : [each[key]]))
  const until = async (is: () => boolean) => {
    while (!is()) {
      if (isOver) throw new Error('the host has ended early')
      await sleep(5)
    }
  }
  const acknowledged = (): Acknowledged[] => all('acknowledged').map(run => ({ run: run!, state: 'Completed' }))
  return { child, pid: child.pid!, said, ended, all, acknowledged, until }
}

/** Has a host run until its store has no room, and waits for what ran to end. */
async function degraded(t: Test, disk: (t: Test) => SmallDisk, options: Record<string, string>) {
  const place = disk(t)
  const host = start(t, place.folder, options)
  await host.until(() => host.all('acknowledged').length >= 50)
  place.fill(host.pid)
  await host.until(() => host.all('event').length > 0)
  await sleep(300)
  return { ...host, ...place }
}

/** Opens the store for writing, as the next process would, so that the runs of those who died are ended. */
async function reopened(folder: string): Promise<string[]> {
  const warnings: string[] = []
  const store = new JsonStore({ folder })
  await store.open({ owner: 'next', codec, warn: message => warnings.push(message) })
  await store.close()
  return warnings
}

for (const [name, disk] of Object.entries(smallDisks)) {
  for (const durability of ['process', 'power'])
    test(`${name}, durability ${durability}: nothing begins and nothing is lost while there is no room, then all goes on`, async t => {
      const { all, acknowledged, folder, free, pid, ended, until } = await degraded(t, disk, {
        count: '1000',
        durability,
      })
      const before = { began: all('began').length, acknowledged: acknowledged().length }
      t.ok(before.acknowledged < before.began && before.began <= before.acknowledged + 4, JSON.stringify(before))
      await sleep(500)
      t.strictSame({ began: all('began').length, acknowledged: acknowledged().length }, before)
      t.match(all('reason'), [
        /journals.*could not be written: (ENOSPC|EFBIG).* (Make room on the disk|Raise the limit)/,
      ])
      t.strictSame(await violations(folder, { acknowledged: acknowledged(), alive: ownersIn(folder) }), [])

      free(pid)
      await until(() => all('closed').length > 0)
      t.equal(await ended, 0)
      t.strictSame(all('event'), ['store-degraded', 'store-restored'])
      t.match(all('warning'), [/Nothing is lost so far/, /can be written again/])
      t.equal(all('warning').length, 2)
      t.strictSame([all('state'), all('closed'), all('stray')], [['COMPLETED'], ['well'], []])
      t.equal(new Set(all('began')).size, 1000)
      t.equal(all('began').length, 1000, 'each once')
      t.equal(acknowledged().length, 1000)
      t.strictSame(await violations(folder, { acknowledged: acknowledged() }), [])
    })

  test(`${name}: an engine that is closed while there is no room says what is lost, and hangs nobody`, async t => {
    const host = await degraded(t, disk, { count: '1000', patience: '200' })
    const { all, acknowledged, child, folder, free, pid } = host
    child.send('close')
    await host.until(() => all('closed').length > 0)
    free(pid)
    t.equal(await host.ended, 0)
    t.strictSame(
      [all('closed'), all('state'), all('code')],
      [['STORE_WRITE_FAILED'], ['CRASHED'], ['STORE_WRITE_FAILED']],
    )
    const [message] = all('message')
    const [flowRun, flowName] = [all('flowRun')[0]!, all('name')[0]!]
    t.match(message, /(ENOSPC|EFBIG).* \d+ lines could not be saved, of [2-9] runs: /)
    t.match(message, `flow run '${flowName}' (${flowRun})`)
    t.match(message, new RegExp(`task run ('work-[^']+' \\()?${flowRun}-\\d+`))
    t.strictSame(all('stray'), [])
    t.match(await reopened(folder), [/runs? of process \d+ (is|are) CRASHED/])
    t.strictSame(await violations(folder, { acknowledged: acknowledged() }), [])
  })

  test(`${name}: a process that is killed while there is no room loses nothing that was acknowledged`, async t => {
    const { all, acknowledged, child, folder, free, pid, ended } = await degraded(t, disk, { count: '1000' })
    free(pid)
    child.kill('SIGKILL')
    t.equal(await ended, 'SIGKILL')
    t.match(await reopened(folder), [/runs? of process \d+ (is|are) CRASHED/])
    t.ok(all('acknowledged').length >= 50)
    t.strictSame(await violations(folder, { acknowledged: acknowledged() }), [])
  })
}

test('there is a way to run out of room on this machine, if it is Linux', t => {
  t.ok(process.platform !== 'linux' || Object.keys(smallDisks).length > 0)
  t.end()
})

/** Those whose journals there are. */
function ownersIn(folder: string): string[] {
  const journals = `${folder}/journals`
  return existsSync(journals) ? readdirSync(journals).map(name => name.split('.')[0]!) : []
}
