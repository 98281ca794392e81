import { test } from 'tap'
import { atLevel, formatLine } from '../../lib/engine/logger.js'

test('a logger made like pino gets the fields first, others get the message first', async t => {
  const calls: unknown[][] = []
  const write = (...args: unknown[]) => void calls.push(args)
  const methods = { debug: write, info: write, warn: write, error: write }
  atLevel(methods, 'info').info('plain', { run: 1 })
  const pino = { ...methods, bindings: () => ({}), child: () => pino }
  atLevel(pino, 'info').info('pino', { run: 2 })
  atLevel(pino, 'info').warn('no fields')
  t.strictSame(calls, [
    ['plain', { run: 1 }],
    [{ run: 2 }, 'pino'],
    [{}, 'no fields'],
  ])
})

test('what is below the level is dropped, and can be asked for beforehand', async t => {
  const lines: string[] = []
  const write = (message: string) => void lines.push(message)
  const logger = atLevel({ debug: write, info: write, warn: write, error: write }, 'warn')
  for (const level of ['debug', 'info', 'warn', 'error'] as const) if (logger.enabled(level)) logger[level](level)
  logger.info('dropped')
  t.strictSame(lines, ['warn', 'error'])
  t.equal(atLevel(logger, 'silent').enabled('error'), false)
})

test('a line shows its fields, an error with its stack', async t => {
  const line = formatLine('info', 'loaded', { rows: 3, file: 'a b.csv', error: new Error('torn') })
  t.match(line, /^\d\d:\d\d:\d\d\.\d{3} \| INFO {2}\| loaded rows=3 file="a b\.csv" error=\nError: torn\n {4}at /)
})
