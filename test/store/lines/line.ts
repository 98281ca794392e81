import { test } from 'tap'
import { type Line, parseLine, quoted } from '../../../lib/store/lines/line.js'

test('the value that ends a line is cut off as it stands there, whatever it holds', async t => {
  const cases: [text: string, fields: object, value: string | undefined][] = [
    ['{"u":"a","q":1,"is":"Completed","r":{"n": 1 }}', { u: 'a', q: 1, is: 'Completed' }, '{"n": 1 }'],
    ['{"u":"a","q":1,"is":"Failed","e":{"a":1,"r":2}}', { u: 'a', q: 1, is: 'Failed' }, '{"a":1,"r":2}'],
    ['{"l":"a","q":1,"m":"x,\\"r\\":y","d":{}}', { l: 'a', q: 1, m: 'x,"r":y' }, '{}'],
    ['{"c":7,"q":2}', { c: 7, q: 2 }, undefined],
  ]
  for (const [text, fields, value] of cases) t.strictSame(parseLine(text), { fields, value } as Line, text)
})

test('a line that is no object is damaged', async t => {
  for (const text of ['', 'null', '7', '{"u":"a","q":', '{"u":"a","q":,"r":1}'])
    t.equal(parseLine(text), undefined, text)
})

test('what needs no escapes is quoted as it is, anything else as JSON has it', async t => {
  t.strictSame(['a-1.b_2', 'a "b"', ''].map(quoted), ['"a-1.b_2"', '"a \\"b\\""', '""'])
})
