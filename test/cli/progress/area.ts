import { test } from 'tap'
import { Area } from '../../../lib/cli/progress/area.js'
import { cells } from '../../../lib/cli/progress/width.js'
import { Random } from '../../fixtures/random.js'
import { Emulator } from '../fixtures/emulator.js'

const size = { columns: 20, rows: 8 }

/** A terminal with an area, and what stood there before. */
async function screenWith(...before: string[]) {
  const emulator = new Emulator(size)
  const area = new Area()
  await emulator.write(before.map(line => `${line}\r\n`).join(''))
  const here = () => ({ columns: emulator.columns, rows: emulator.rows })
  const write = (text: string) => emulator.write(text.replaceAll('\n', '\r\n'))
  return {
    emulator,
    draw(...lines: string[]) {
      const text = area.draw(
        lines.map(text => ({ text, columns: cells(text) })),
        here(),
      )
      return write(text).then(() => text)
    },
    above: (text: string) => write(area.above(text, here())),
  }
}

const lines = (count: number, word = 'line') => Array.from({ length: count }, (_, index) => `${word} ${index}`)

test('what is drawn again takes the place of what was there', async t => {
  const { emulator, draw } = await screenWith('$ mintaka')
  for (const drawn of [['a', 'b', 'c'], ['a', 'B', 'c'], ['a'], [], lines(6), ['x', ...lines(6).slice(1)]]) {
    await draw(...drawn)
    t.strictSame(emulator.everything(), ['$ mintaka', ...drawn])
    t.strictSame(emulator.cursor, { column: 0, row: drawn.length + 1 })
  }
})

test('lines that are as they were are not written again, and nothing at all if all are', async t => {
  const { emulator, draw } = await screenWith()
  await draw('first', 'second', 'third')
  t.equal(await draw('first', 'second', 'third'), '')
  t.notMatch(await draw('first', 'zweite', 'third'), /first|third/)
  t.strictSame(emulator.screen(), ['first', 'zweite', 'third'])
})

test('what is written above stays, whatever is in it, and the area stays below it', async t => {
  const { emulator, draw, above } = await screenWith('$ mintaka')
  await draw('tree', '  leaf')
  const shown = ['$ mintaka']
  for (const [text, ...expected] of [
    ['plain\n', 'plain'],
    ['two\nlines\n', 'two', 'lines'],
    ['\n', ''],
    [`${'long '.repeat(9)}\n`, 'long long long long ', 'long long long long ', 'long'],
    [`${'x'.repeat(20)}\n`, 'x'.repeat(20)],
    ['\u001b[31mred\u001b[39m\r\n', 'red'],
    ['a\tb\n', 'a       b'],
    ['写写\n', '写写'],
    [`${'写'.repeat(15)}\n`, '写'.repeat(10), '写'.repeat(5)],
    [`x${'写'.repeat(15)}\n`, `x${'写'.repeat(9)}`, '写'.repeat(6)],
    ['50 %\r100 %\n', '100 %'],
    [`${lines(30, 'many').join('\n')}\n`, ...lines(30, 'many')],
  ] as const) {
    await above(text)
    shown.push(...expected.map(line => line.trimEnd()))
    t.strictSame(emulator.everything(), [...shown, 'tree', '  leaf'], JSON.stringify(text))
    await draw('tree', '  leaf')
  }
})

test('what somebody typed below the area is gone with the next line', async t => {
  const { emulator, draw, above } = await screenWith()
  await draw('tree')
  await emulator.write('^C')
  await above('Cancelling\n')
  t.strictSame(emulator.everything(), ['Cancelling', 'tree'])
  await emulator.write('^C')
  await draw('treE')
  t.strictSame(emulator.everything(), ['Cancelling', 'treE'])
})

test('a terminal that becomes narrower and wider again shows the area once', async t => {
  const { emulator, draw, above } = await screenWith('$ run')
  await draw('a tree of 19 letter', '  a leaf of 19 lett', 'x')
  for (const [columns, rows] of [
    [10, 8],
    [7, 8],
    [15, 8],
    [40, 8],
    [20, 8],
  ] as const) {
    emulator.resize(columns, rows)
    await draw('tree', '  leaf'.padEnd(columns - 1, '.'), `${columns}`)
    t.strictSame(emulator.everything(), ['$ run', 'tree', '  leaf'.padEnd(columns - 1, '.'), `${columns}`])
  }
  emulator.resize(12, 8)
  await above('log\n')
  await draw('tree')
  t.strictSame(emulator.everything(), ['$ run', 'log', 'tree'])
})

test('a terminal that becomes lower than the area, and higher again, shows it once', async t => {
  const { emulator, draw } = await screenWith('$ run')
  await draw(...lines(6))
  emulator.resize(20, 4)
  await draw(...lines(3, 'low'))
  t.strictSame(emulator.screen(), lines(3, 'low'))
  emulator.resize(20, 6)
  await draw(...lines(5, 'middle'))
  t.strictSame(emulator.screen(), lines(5, 'middle'))
  emulator.resize(20, 12)
  await draw(...lines(7, 'high'))
  t.strictSame(emulator.everything(), ['$ run', ...lines(7, 'high')])
})

test('what a terminal that was too low brings back is erased, also if its lines are laid out anew then', async t => {
  const { emulator, draw } = await screenWith('$ run', 'said')
  await draw(...[10, 19, 12, 18, 3].map((width, index) => `${index}`.padEnd(width, '.')))
  emulator.resize(20, 3)
  await draw('low', '… and more')
  t.strictSame(emulator.screen(), ['low', '… and more'])
  emulator.resize(12, 20)
  await draw('tree', '  leaf')
  t.strictSame(emulator.everything(), ['$ run', 'said', 'tree', '  leaf'])
})

test('whatever is drawn, written above and resized, nothing is lost and nothing is left behind', async t => {
  for (const seed of [1, 2, 3]) {
    const random = new Random(seed)
    const { emulator, draw, above } = await screenWith()
    let logged = ''
    for (let step = 0; step < 150; step++) {
      if (random.chance(0.15)) emulator.resize(30 + random.below(40), 22 + random.below(10))
      if (random.chance(0.5)) {
        const said = Array.from(
          { length: 1 + random.below(3) },
          () => `<${step}${random.of(['x', '写', '🚀é']).repeat(random.below(90))}>`,
        )
        logged += said.join('')
        await above(`${said.join('\n')}\n`)
      }
      const tree = Array.from({ length: random.below(7) }, () =>
        '=|#'[random.below(3)]!.repeat(1 + random.below(emulator.columns - 1)),
      )
      await draw(...tree)
      const all = emulator.everything()
      const shown = [all.slice(0, all.length - tree.length).join(''), ...all.slice(all.length - tree.length)]
      t.strictSame(shown, [logged, ...tree], `seed ${seed}, step ${step}`)
    }
  }
})
