import { test } from 'tap'
import { mintakaIn } from './fixtures/mintaka.js'

test('picks a flow by its name or its export, and lists them if it cannot', async t => {
  const folder = t.testdir({
    'several.mjs': `
      import { flow } from 'mintaka'
      const report = flow('report', () => 'report')
      export const quick = report.with({ name: 'quick-one' })
      export default flow('etl:daily', () => 'daily')
      const hidden = flow('hidden', () => 'hidden')
    `,
    'none.mjs': 'export const a = 1',
    'passes-on.mjs': "import { flow } from 'mintaka'\nimport './one.mjs'",
    'one.mjs': "import { flow } from 'mintaka'\nflow('one', () => 1)",
  })
  const mintaka = mintakaIn(folder)
  t.equal((await mintaka('run', 'several.mjs:hidden')).stdout, '"hidden"\n', 'not exported')
  t.equal((await mintaka('run', 'several.mjs:quick')).stdout, '"report"\n', 'by its export')
  t.equal((await mintaka('run', 'several.mjs:etl:daily')).stdout, '"daily"\n', 'a colon in its name')
  t.equal((await mintaka('run', 'passes-on.mjs')).stdout, '1\n', 'of an imported file')

  const which = await mintaka('run', 'several.mjs')
  t.equal(which.code, 1)
  t.match(which.stderr, 'several flows in several.mjs: report (exported as quick), etl:daily')
  const missing = await mintaka('run', 'several.mjs:nope')
  t.equal(missing.code, 1)
  t.match(missing.stderr, "There is no flow 'nope' in several.mjs. It has report")
  const none = await mintaka('run', 'none.mjs')
  t.equal(none.code, 1)
  t.match(none.stderr, 'There is no flow in none.mjs.')
  t.match((await mintaka('run', 'nowhere.mjs')).stderr, 'There is no file nowhere.mjs')
})
