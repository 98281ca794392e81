/**
 * A flow of ten thousand tasks, with a subflow on threads, is killed at any time (`kill -9`), two hundred times:
 *
 *     npm run torture -- kill
 *     npm run torture -- kill --seed 7 --kills 20 --count 10000 --pieces 500
 *
 * After each kill the store is opened and checked, and the flow continued; see `test/faults/fixtures/kill.ts`. What is found is
 * told with the command that repeats it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { kill } from '../test/faults/fixtures/kill.js'

const killsPerSeed = 20

export async function tortureKill(args: readonly string[]): Promise<void> {
  const text = { type: 'string' } as const
  const { values } = parseArgs({ args: [...args], options: { seed: text, kills: text, count: text, pieces: text } })
  const first = Number(values.seed ?? Date.now() % 1_000_000)
  const [count, pieces] = [Number(values.count ?? 10_000), Number(values.pieces ?? 500)]
  const wanted = Number(values.kills ?? 200)
  let slowestMs = 0
  for (let done = 0, seed = first; done < wanted; seed++) {
    const kills = Math.min(killsPerSeed, wanted - done)
    console.log(`seed ${seed}`)
    const folder = mkdtempSync(join(tmpdir(), 'mintaka-kill-'))
    const report = await kill(join(folder, 'night'), {
      seed,
      count,
      pieces,
      kills,
      log: line => console.log(`  ${line}`),
    })
    done += report.kills
    slowestMs = Math.max(slowestMs, report.slowestOpenMs)
    if (report.wrong.length > 0) {
      for (const line of report.wrong.slice(0, 50)) console.error(line)
      const size = `--kills ${kills} --count ${count} --pieces ${pieces}`
      console.error(`To see it again: npm run torture -- kill --seed ${seed} ${size}. What was found is in ${folder}.`)
      process.exitCode = 1
      return
    }
    rmSync(folder, { recursive: true, force: true })
  }
  console.log(`${wanted} kills, nothing wrong; the slowest opening took ${slowestMs.toFixed(0)} ms of a processor`)
}
