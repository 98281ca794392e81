/**
 * Ten thousand engines in one process, each opened, used for a flow of two tasks and closed: in memory, and all on one
 * folder. What is left of them, and whether the last thousand takes longer than the first.
 * `node --import tsx bench/ephemeral.ts`. ENGINES (10,000) changes how many.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { JsonStore, MemoryStore, type Store } from 'mintaka'
import { collect, held, oneEngine } from '../test/engine/fixtures/ephemeral.js'

const engines = Number(process.env['ENGINES'] ?? 10_000)
const tenth = Math.ceil(engines / 10)
const folder = mkdtempSync(join(tmpdir(), 'mintaka-bench-'))

interface Measured {
  readonly held: string
  readonly heapMiB: number
  readonly rssMiB: number
  readonly msEach: number
}

async function some(count: number, storeOf: () => Store): Promise<Measured> {
  const begin = performance.now()
  for (let index = 0; index < count; index++) await oneEngine(storeOf())
  const msEach = (performance.now() - begin) / count
  await nextTurn()
  collect()
  const { heapUsed, rss } = process.memoryUsage()
  return { held: JSON.stringify(held()), heapMiB: heapUsed / 2 ** 20, rssMiB: rss / 2 ** 20, msEach }
}

const kinds: Record<string, () => Store> = {
  'in memory': () => new MemoryStore(),
  'on one folder': () => new JsonStore({ folder }),
}

console.log(`## Ephemeral engines\n\nNode ${process.version}, ${cpus().length} cores, ${engines} engines\n`)
console.log('| | of the first tenth | of the last tenth | |')
console.log('|---|---|---|---|')
for (const [name, storeOf] of Object.entries(kinds)) {
  const first = await some(tenth, storeOf)
  await some(engines - 2 * tenth, storeOf)
  const last = await some(tenth, storeOf)
  const isLevel = last.heapMiB - first.heapMiB < 8
  const row = (what: string, of: (measured: Measured) => string, verdict: string) =>
    console.log(`| ${name}: ${what} | ${of(first)} | ${of(last)} | ${verdict} |`)
  row('ms for each', ({ msEach }) => msEach.toFixed(2), last.msEach < 1.5 * first.msEach ? 'PASS' : 'short')
  row('heap, MiB', ({ heapMiB }) => heapMiB.toFixed(1), isLevel ? 'PASS' : 'short')
  row('RSS, MiB', ({ rssMiB }) => rssMiB.toFixed(0), '')
  row('handles, timers and listeners', ({ held }) => held, first.held === last.held ? 'PASS' : 'short')
}
rmSync(folder, { recursive: true, force: true })
