/**
 * The journal of `JsonStore` against a loop that only makes JSON of the same, SQLite and lmdb; what `fdatasync` in groups
 * costs; whether a transition costs more when there are many records; how long it takes to read what a dead process left.
 * `node --import tsx bench/store.ts`. ROUNDS, TASKS (50,000) and LINES (1,000,000) change its size.
 */
import { spawnSync } from 'node:child_process'
import fs, { createReadStream, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { JsonStore } from '../lib/store/json.js'
import { codec } from '../lib/values/json.js'
import { database } from './databases/install.js'
import { asThreads, callsOf, flood, flowRunIn } from './records.js'
import { type Contest, type Goal, heading, interleave, type Result, ratiosOf, table } from './rounds.js'

const tasks = Number(process.env['TASKS'] ?? 50_000)
const lines = Number(process.env['LINES'] ?? 1_000_000)
const batch = 500
const folder = mkdtempSync(join(tmpdir(), 'mintaka-bench-'))
let made = 0
const newFolder = () => join(folder, String(++made))

/** What databases are asked to keep: one record for each state. */
function* records(): Iterable<readonly [key: string, record: object]> {
  for (let index = 0; index < tasks; index++) {
    const id = `x3k9fq02ab7z-${index}`
    const at = 1_700_000_000_000 + Math.floor(index / 1000)
    const inputs = [{ name: '0', preview: String(index) }]
    const task = { f: 'x3k9fq02ab7z', name: `square-3f9c21d0-${index}`, task: 'square', key: '3f9c21d0', dk: index }
    yield [`${id}/1`, { t: id, ...task, created: at, inputs, is: 'Pending', at }]
    yield [`${id}/2`, { u: id, is: 'Running', at: at + 1, n: 1 }]
    yield [`${id}/3`, { u: id, is: 'Completed', at: at + 2, r: index }]
  }
}

const perTransition = (ms: number) => (ms * 1000) / (tasks * 3)

async function stringify(): Promise<number> {
  const begin = performance.now()
  let characters = 0
  for (const [, record] of records()) characters += `${JSON.stringify(record)}\n`.length
  if (characters < tasks) throw new Error('nothing was made')
  return perTransition(performance.now() - begin)
}

type Use = typeof flood

async function journal(use: Use, durability: 'process' | 'power' = 'process'): Promise<number> {
  const store = new JsonStore({ folder: newFolder(), durability })
  const runs = callsOf(await flowRunIn(store, `engine${made}`), tasks)
  const begin = performance.now()
  await use(store, runs)
  const spent = performance.now() - begin
  await store.close()
  rmSync(join(folder, String(made)), { recursive: true })
  return perTransition(spent)
}

interface Sqlite {
  pragma(text: string): void
  exec(text: string): void
  prepare(text: string): { run(...values: unknown[]): void }
  transaction<A extends unknown[]>(body: (...args: A) => void): (...args: A) => void
  close(): void
}

async function sqlite(): Promise<number> {
  const { default: Database } = await database<{ default: new (path: string) => Sqlite }>('better-sqlite3')
  const path = newFolder()
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = NORMAL')
  db.exec('create table states (key text primary key, record text) without rowid')
  const insert = db.prepare('insert into states values (?, ?)')
  const insertAll = db.transaction((group: readonly (readonly [string, object])[]) => {
    for (const [key, record] of group) insert.run(key, JSON.stringify(record))
  })
  const begin = performance.now()
  for (const group of groups()) insertAll(group)
  const spent = performance.now() - begin
  db.close()
  for (const each of [path, `${path}-wal`, `${path}-shm`]) rmSync(each, { force: true })
  return perTransition(spent)
}

interface Lmdb {
  put(key: string, value: unknown): Promise<boolean>
  putSync(key: string, value: unknown): void
  transactionSync(body: () => void): void
  close(): Promise<void>
}

/** In transactions of 500, or as it is quickest: all puts at once, in batches that it makes by itself. */
async function lmdb(inBatches: boolean): Promise<number> {
  const { open } = await database<{ open(options: object): Lmdb }>('lmdb')
  const db = open({ path: newFolder(), encoding: 'json' })
  const begin = performance.now()
  if (inBatches) {
    for (const group of groups()) {
      db.transactionSync(() => {
        for (const [key, record] of group) db.putSync(key, record)
      })
    }
  } else {
    let last: Promise<boolean> | undefined
    for (const [key, record] of records()) last = db.put(key, record)
    await last
  }
  const spent = performance.now() - begin
  await db.close()
  rmSync(join(folder, String(made)), { recursive: true })
  return perTransition(spent)
}

function* groups(): Iterable<(readonly [string, object])[]> {
  let group: (readonly [string, object])[] = []
  for (const each of records()) {
    if (group.push(each) === batch) {
      yield group
      group = []
    }
  }
  if (group.length > 0) yield group
}

async function withoutSync(measure: () => Promise<number>): Promise<number> {
  const real = { fdatasync: fs.fdatasync, fdatasyncSync: fs.fdatasyncSync, fsyncSync: fs.fsyncSync }
  const at = (_: number, done: (error: null) => void) => void setImmediate(done, null)
  Object.assign(fs, { fdatasync: at, fdatasyncSync() {}, fsyncSync() {} })
  syncBuiltinESMExports()
  try {
    return await measure()
  } finally {
    Object.assign(fs, real)
    syncBuiltinESMExports()
  }
}

/** What a transition costs in a flow run that has so many task runs already. */
async function after(held: number): Promise<number> {
  const count = 30_000
  const store = new JsonStore({ folder: newFolder() })
  const run = await flowRunIn(store, `engine${made}`)
  await flood(store, callsOf(run, held))
  const runs = callsOf(run, count, held)
  const begin = performance.now()
  await asThreads(store, runs)
  const spent = performance.now() - begin
  await store.close()
  rmSync(join(folder, String(made)), { recursive: true })
  return (spent * 1000) / (count * 3)
}

/** A process that writes so many lines, one for each state, and is killed. */
function leaveBehind(): string {
  const left = newFolder()
  const program = fileURLToPath(new URL('left-behind.ts', import.meta.url))
  const { signal, stderr } = spawnSync(process.execPath, ['--import', 'tsx', program, left, String(lines)])
  if (signal !== 'SIGKILL') throw new Error(String(stderr))
  return left
}

async function readAndParse(left: string): Promise<number> {
  const begin = performance.now()
  let count = 0
  for (const name of readdirSync(join(left, 'journals')).sort()) {
    if (!name.endsWith('.ndjson')) continue
    for await (const line of createInterface({ input: createReadStream(join(left, 'journals', name)) })) {
      if (JSON.parse(line) !== null) count++
    }
  }
  if (count < lines) throw new Error(`${count} lines`)
  return performance.now() - begin
}

/** Opens the store for writing, which ends the runs of the dead. Each time on a copy that nobody has opened. */
async function recover(left: string): Promise<number> {
  const copy = newFolder()
  fs.cpSync(left, copy, { recursive: true })
  const store = new JsonStore({ folder: copy })
  const warnings: string[] = []
  const begin = performance.now()
  await store.open({ owner: `engine${made}`, codec, warn: message => warnings.push(message) })
  const spent = performance.now() - begin
  await store.close()
  if (warnings.length === 0) throw new Error('nobody had died')
  rmSync(copy, { recursive: true })
  return spent
}

/** The same times against several peers, each with a goal of its own. */
function against(results: readonly Result[], name: string, goals: Readonly<Record<string, Goal>>): Result[] {
  const own = results.find(each => each.name === name)
  if (!own) throw new Error(name)
  return Object.entries(goals).map(([peer, goal]) => {
    const ratio = 'atMost' in goal ? 'as long' : 'as fast'
    const times = results.find(each => each.name === peer)?.times ?? []
    return { ...own, against: peer, goal, ratio, ratios: ratiosOf(own.times, times, ratio) }
  })
}

const stringifyOnly = 'a loop that makes JSON'
const inSqlite = `SQLite, WAL, NORMAL, transactions of ${batch}`
const inLmdb = `lmdb, transactions of ${batch}`
const inLmdbAtOnce = 'lmdb, all puts at once'

async function databases(): Promise<void> {
  const contests: Contest[] = [
    { name: stringifyOnly, measure: stringify },
    { name: inSqlite, measure: sqlite },
    { name: inLmdb, measure: () => lmdb(true) },
    { name: inLmdbAtOnce, measure: () => lmdb(false) },
    { name: 'journal, all at once', measure: () => journal(flood) },
    { name: 'journal, as threads', measure: () => journal(asThreads) },
  ]
  const results = await interleave(contests)
  const goals: Record<string, Goal> = {
    [stringifyOnly]: { atLeast: 0.5 },
    [inSqlite]: { atLeast: 3 },
    [inLmdb]: { atLeast: 2 },
    [inLmdbAtOnce]: { atLeast: 2 },
  }
  const ours = ['journal, all at once', 'journal, as threads'].flatMap(name => against(results, name, goals))
  console.log(`\n### Against databases\n\n${table([...results.slice(0, 4), ...ours], 'µs per transition')}`)
}

async function syncs(): Promise<void> {
  const none = 'journal, nothing is synced'
  const goal = { atLeast: 0.8 }
  const contests: Contest[] = [
    { name: none, measure: () => withoutSync(() => journal(asThreads)) },
    { name: 'journal, synced in groups', against: none, goal, measure: () => journal(asThreads) },
    {
      name: 'journal, synced in groups before it is acknowledged',
      against: none,
      goal,
      measure: () => journal(asThreads, 'power'),
    },
  ]
  console.log(`\n### fdatasync\n\n${table(await interleave(contests), 'µs per transition')}`)
}

async function size(): Promise<void> {
  const few = 'after 100 task runs'
  const contests: Contest[] = [
    { name: few, measure: () => after(100) },
    { name: 'after 100,000 task runs', against: few, goal: { atMost: 1.2 }, measure: () => after(100_000) },
  ]
  console.log(`\n### As a flow run grows\n\n${table(await interleave(contests), 'µs per transition')}`)
}

async function recovery(): Promise<void> {
  const left = leaveBehind()
  const peer = 'reading and parsing every line'
  const contests: Contest[] = [
    { name: peer, measure: () => readAndParse(left) },
    { name: 'opening the store', against: peer, goal: { atMost: 1.3 }, measure: () => recover(left) },
  ]
  const results = await interleave(contests, { isCold: true })
  console.log(
    `\n### A journal of ${lines.toLocaleString('en')} lines, of a process that died\n\n${table(results, 'ms')}`,
  )
}

const parts: Record<string, () => Promise<void>> = { databases, syncs, size, recovery }
const chosen = process.argv.slice(2)
console.log(heading('Store', `${tasks} task runs of three states`))
try {
  for (const [name, part] of Object.entries(parts)) if (chosen.length === 0 || chosen.includes(name)) await part()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
