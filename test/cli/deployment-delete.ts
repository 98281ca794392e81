import { test } from 'tap'
import { mintakaIn } from './fixtures/mintaka.js'
import { atTerminal } from './fixtures/terminal.js'

const files = {
  'etl.mjs': "import { deployment, flow } from 'mintaka'\ndeployment('daily', flow('etl', () => 1))",
}

const ctrlC = '\u0003'
const ctrlD = '\u0004'

test('on a terminal it is deleted when somebody says yes, and at no other key', async t => {
  const folder = t.testdir(files)
  const mintaka = mintakaIn(folder)
  await mintaka('deployment', 'create', 'etl.mjs')
  const answer = async (keys: string) => {
    const terminal = atTerminal(t, folder, ['deployment', 'delete', 'daily'])
    await terminal.until(screen => screen.some(line => line.startsWith('Delete deployment etl/daily? [y/N]')))
    terminal.type(keys)
    return terminal.ended
  }
  const listed = async () => JSON.parse((await mintaka('deployment', 'ls', '--json')).stdout).length
  for (const keys of ['n\r', '\r', ctrlC, ctrlD]) t.equal(await answer(keys), 1, JSON.stringify(keys))
  t.equal(await listed(), 1)
  t.equal(await answer('Yes\r'), 0)
  t.equal(await listed(), 0)
})
