/**
 * Three agents share a store with a deployment of every second, for a minute, and are killed at random:
 *
 *     npm run torture -- agents
 *     npm run torture -- agents --seed 7 --seconds 60 --agents 3 --rounds 5
 *
 * After each round every occurrence has to be accounted for; see `test/deployments/fixtures/torture-agents.ts`. What is found is
 * told with the command that repeats it, as far as chance allows.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { tortureAgents } from '../test/deployments/fixtures/torture-agents.js'

export async function tortureOfAgents(args: readonly string[]): Promise<void> {
  const text = { type: 'string' } as const
  const { values } = parseArgs({ args: [...args], options: { seed: text, seconds: text, agents: text, rounds: text } })
  const first = Number(values.seed ?? Date.now() % 1_000_000)
  const [seconds, agents] = [Number(values.seconds ?? 60), Number(values.agents ?? 3)]
  for (let seed = first; seed < first + Number(values.rounds ?? 1); seed++) {
    const folder = mkdtempSync(join(tmpdir(), 'mintaka-agents-'))
    const { wrong, occurrences, kills, ends } = await tortureAgents(folder, { seed, seconds, agents })
    const counts = Object.entries(ends).map(([type, count]) => `${count} ${type}`)
    console.log(
      `seed ${seed}: ${occurrences} occurrences, ${kills} kills; ${counts.join(', ')}; ${wrong.length || 'nothing'} wrong`,
    )
    if (wrong.length > 0) {
      for (const line of wrong.slice(0, 50)) console.error(line)
      console.error(
        `To see it again: npm run torture -- agents --seed ${seed} --seconds ${seconds} --agents ${agents}. The store is in ${folder}.`,
      )
      process.exitCode = 1
      return
    }
    rmSync(folder, { recursive: true, force: true })
  }
}
