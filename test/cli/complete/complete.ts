import { Command } from 'commander'
import { test } from 'tap'
import { type Choices, complete } from '../../../lib/cli/complete/complete.js'
import { choice, repeatable } from '../../../lib/cli/options.js'

const choices: Choices = {
  verbs: { run: 'run a flow', 'flow-run ls': 'list', 'flow-run cancel': 'end' },
  groups: { 'flow-run': 'flow runs' },
  async define(verb) {
    const command = new Command(verb)
    if (verb === 'flow-run ls')
      return command.addOption(repeatable('--state <state>', 'only these')).option('--json', 'JSON')
    if (verb === 'run') command.argument('<file>').addOption(choice('--executor <name>', 'where', ['parallel', 'dask']))
    else command.argument('<run...>').option('-r, --reason <text>', 'why')
    return command
  },
  async values(verb, what, beginning) {
    if (what === 'file') return 'files'
    if (what === 'run') return [{ word: 'busy-bee', description: `of ${verb}` }, { word: 'eager-otter' }]
    if (what === '--state') return [{ word: 'failed' }, { word: `after ${beginning}` }]
    return undefined
  },
}

const cases: [line: string, words: string[]][] = [
  ['', ['flow-run', 'run']],
  ['fl', ['flow-run']],
  ['-', ['--home', '--help']],
  ['--home x f', ['flow-run']],
  ['--home=x flow-run ', ['ls', 'cancel']],
  ['--home ', [':files']],
  ['help flow-run ', ['ls', 'cancel']],
  ['nope ', []],
  ['flow-run ls ', []],
  ['flow-run ls -', ['--state', '--json', '--home', '--help']],
  ['flow-run ls --json --', ['--state', '--home', '--help']],
  ['flow-run ls --state failed --', ['--state', '--json', '--home', '--help']],
  ['flow-run ls --state f', ['failed']],
  ['flow-run ls --state=f', ['--state=failed']],
  ['flow-run ls --state=fa --j', ['--json']],
  ['flow-run cancel ', ['busy-bee', 'eager-otter']],
  ['flow-run cancel busy-bee e', ['eager-otter']],
  ['flow-run cancel -r ', []],
  ['flow-run cancel -r because b', ['busy-bee']],
  ['run ', [':files']],
  ['run x ', []],
  ['run x --executor ', ['parallel', 'dask']],
  ['run x --executor=d', ['--executor=dask']],
]

for (const [line, expected] of cases)
  test(`what may stand at the end of 'mintaka ${line}'`, async t => {
    const { candidates, files } = await complete(line.split(' '), choices)
    t.strictSame([...candidates.map(({ word }) => word), ...(files ? [':files'] : [])], expected)
  })

test('a word has its description', async t => {
  const [first] = (await complete(['flow-run', 'cancel', ''], choices)).candidates
  t.strictSame(first, { word: 'busy-bee', description: 'of flow-run cancel' })
})
