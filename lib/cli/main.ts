import { overview } from './overview.js'
import { versionText } from './versions.js'

/**
 * Carries out a command line. Gives the exit code: 0, 1 for what failed, 2 for a command that makes no sense. What
 * mintaka can do and which version it is are told without loading anything else: that takes as long as Node to start.
 */
export async function main(args: readonly string[]): Promise<number> {
  const known = shortAnswer(args)
  if (known !== undefined) {
    process.stdout.write(`${known}\n`)
    return 0
  }
  if (args[0] === '__complete') {
    const { answer } = await import('./complete/answer.js')
    await answer(args.slice(args[1] === '--' ? 2 : 1))
    return 0
  }
  const { carryOut } = await import('./program.js')
  return carryOut(args)
}

function shortAnswer([first, ...others]: readonly string[]): string | undefined {
  if (first === undefined || others.length > 0) return undefined
  if (first === '--help' || first === '-h' || first === 'help') return overview()
  return first === '--version' || first === 'version' ? versionText() : undefined
}
