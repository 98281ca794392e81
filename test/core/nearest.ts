import { test } from 'tap'
import { didYouMean, nearest } from '../../lib/core/nearest.js'

const words = ['inspect', 'pause', 'resume', 'run', 'schedule', 'ls']

const rows: [string, readonly string[]][] = [
  ['schedul', ['schedule']],
  ['scehdule', ['schedule']],
  ['SCHEDULE', ['schedule']],
  ['inspct', ['inspect']],
  ['resum', ['resume']],
  ['rnu', ['run']],
  ['sl', ['ls']],
  ['l', ['ls']],
  ['deploy', []],
  ['INSP', ['inspect']],
  ['sche', ['schedule']],
  ['re', []],
  ['', []],
  ['run', ['run']],
]
for (const [word, expected] of rows) {
  test(`what is near '${word}'`, async t => t.strictSame(nearest(word, words), expected))
}

test('several that are as near are all given, each once', async t => {
  t.strictSame(nearest('daily-a', ['daily-b', 'daily-c', 'daily-b', 'weekly']), ['daily-b', 'daily-c'])
})

test('the question stands behind a sentence, or is left out', async t => {
  t.equal(didYouMean('rnu', words), " Did you mean 'run'?")
  t.equal(didYouMean('ab', ['aa', 'ac', 'ad']), " Did you mean 'aa', 'ac' or 'ad'?")
  t.equal(didYouMean('deploy', words), '')
})
