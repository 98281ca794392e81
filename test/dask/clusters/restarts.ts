import { test } from 'tap'
import { afterEnd, type Life, maxLives } from '../../../lib/dask/clusters/restarts.js'

const died: Life = { code: null, livedMs: 500, wasReady: true }
const diedLate: Life = { code: null, livedMs: 60_000, wasReady: true }
const neverReady: Life = { code: 1, livedMs: 100, wasReady: false }
const left: Life = { code: 0, livedMs: 500, wasReady: true }

const many = (count: number, life: Life) => Array.from({ length: count }, () => life)

const cases: [says: string, lives: Life[], next: object][] = [
  ['a worker that dies is started again at once', [died], { type: 'restart', afterMs: 0 }],
  ['one that dies soon again has to wait', [died, died], { type: 'restart', afterMs: 50 }],
  ['longer each time', [died, died, died], { type: 'restart', afterMs: 100 }],
  ['but not for ever', many(50, died), { type: 'restart', afterMs: 5000 }],
  ['a long life makes good', [...many(50, died), diedLate], { type: 'restart', afterMs: 0 }],
  ['one that was told to go has left', [left], { type: 'left' }],
  ['one that cannot start is tried again', [neverReady, neverReady], { type: 'restart', afterMs: 50 }],
  ['three times', many(3, neverReady), { type: 'given up' }],
  [
    'one that ends as if told, but was never there, could not start',
    [{ ...left, wasReady: false }],
    { type: 'restart', afterMs: 0 },
  ],
  ['one that dies again and again is given up', many(maxLives, died), { type: 'given up' }],
]

for (const [says, lives, next] of cases) test(says, async t => t.strictSame(afterEnd(lives), next))
