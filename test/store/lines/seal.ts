import { test } from 'tap'
import { seal, sealLength, unseal } from '../../../lib/store/lines/seal.js'

const line = '{"u":"9hx1-0","q":5,"is":"Completed","r":"ünd 💥"}\n'
const rawOf = (text: string) => {
  const bytes = Buffer.from(text)
  return { bytes, start: 0, end: bytes.length - 1, offset: 0 }
}

test('a sealed line is still one line of JSON', async t => {
  const sealed = seal(line)
  t.equal(sealed.length, line.length - 1 + sealLength)
  t.match(JSON.parse(sealed), { ...JSON.parse(line), z: /^[0-9a-f]{8}$/ })
})

test('a whole seal gives the line back', async t => {
  const raw = unseal(rawOf(seal(line)))
  t.equal(raw?.bytes.toString('utf8', raw.start, raw.end), line.trimEnd())
})

test('any byte that has changed breaks the seal', async t => {
  const bytes = Buffer.from(seal(line))
  for (let at = 0; at < bytes.length - 1; at += 1)
    for (const bit of [1, 32, 128]) {
      const changed = Buffer.from(bytes)
      changed[at]! ^= bit
      t.equal(unseal({ bytes: changed, start: 0, end: changed.length - 1, offset: 0 }), undefined, `byte ${at}`)
    }
})

test('a line that is too short for a seal has none', async t => {
  for (const text of ['\n', '{}\n', ',"z":"00000000"}\n']) t.equal(unseal(rawOf(text)), undefined)
})
