/**
 * How soon `mintaka --help` and `mintaka --version` answer, against `node -e 0`: the start of Node alone. What a script that does nothing
 * takes is told too. `node --import tsx bench/help.ts`, after `npm run build`. ROUNDS changes how often.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { heading, interleave, rounds, table } from './rounds.js'

const cli = fileURLToPath(new URL('../dist/lib/cli/bin.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'mintaka-bench-'))
const empty = join(folder, 'empty.mjs')

/** A start of Node varies by half on a machine that does other things: many short rounds are what is steady. */
const count = rounds * 5

async function timeOf(...args: readonly string[]): Promise<number> {
  const begin = performance.now()
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}.`)
  return performance.now() - begin
}

try {
  writeFileSync(empty, '')
  const peer = 'node -e 0'
  const goal = { atMost: 1.5 }
  const results = await interleave(
    [
      { name: peer, measure: () => timeOf('-e', '0') },
      { name: 'node empty.mjs', against: peer, ratio: 'as long', measure: () => timeOf(empty) },
      { name: 'mintaka --help', against: peer, goal, measure: () => timeOf(cli, '--help') },
      { name: 'mintaka --version', against: peer, goal, measure: () => timeOf(cli, '--version') },
      {
        name: 'mintaka flow-run ls --help',
        against: peer,
        ratio: 'as long',
        measure: () => timeOf(cli, 'flow-run', 'ls', '--help'),
      },
    ],
    { count },
  )
  console.log(heading('Help', `${count} starts of each`))
  console.log(`\n${table(results, 'ms')}`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
