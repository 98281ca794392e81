import { test } from 'tap'
import { Claims } from '../../lib/threads/claims.js'
import type { Envelope } from '../../lib/threads/protocol.js'
import { fromWire, toWire } from '../../lib/values/wire.js'
import { carryOut } from '../../workers/carry-out.js'

const claims = new Claims(new SharedArrayBuffer(Claims.bytes))
let n = 0

function envelopeOf(code: string, args: unknown[], captures?: unknown): Envelope {
  const url = `data:text/javascript,${encodeURIComponent(code)}`
  const more = {
    newCode: { key: `${url}#${n}`, taskName: 'a', url, captures: captures && toWire(captures) },
    args: toWire(args),
  }
  return { n: ++n, code: n, id: 'run-1', name: 'a-1', attempt: 1, flowRunId: 'flow-1', tags: [], ...more }
}

test('a function that is known and synchronous is carried out at once', async t => {
  const envelope = envelopeOf('export default ({ k }) => x => x + k', [1], { k: 10 })
  const first = carryOut(envelope, claims, [])
  t.ok(first instanceof Promise, 'the module is loaded first')
  t.match(await first, { type: 'returned', value: 11, posted: 0 })
  t.match(carryOut({ ...envelope, newCode: undefined }, claims, []), { type: 'returned', value: 11 })
})

test('a call that was stopped before it began does not begin', async t => {
  const envelope = envelopeOf('export default () => { throw new Error("made") }', [])
  claims.stop(envelope.n)
  t.match(carryOut(envelope, claims, []), { type: 'stopped' })
})

test('whatever happens, there is a reply', async t => {
  const threw = async (code: string, args: unknown[] = []) => {
    const reply = await carryOut(envelopeOf(code, args), claims, [])
    t.equal(reply.type, 'threw')
    return fromWire(reply.value)
  }
  t.match(await threw('export default () => () => { throw new TypeError("a") }'), { name: 'TypeError', message: 'a' })
  t.match(await threw('export default () => async () => { throw 5 }'), 5)
  t.match(await threw('throw new Error("top")'), { message: 'top' })
  t.match(await threw('export default () => 5'), { code: 'BUILD' })
  t.match(await threw('export const other = 1'), { code: 'BUILD', message: /no function 'default'/ })
  t.match(await threw('export default () => { throw new Error("captures") }'), { message: 'captures' })
  t.match(await threw('export default () => () => Symbol("s")'), {
    code: 'NOT_SENDABLE',
    message: /^Task 'a': the result is the symbol/,
  })
  t.match(await threw('export default () => () => ({ get then() { throw new Error("then") } })'), { message: 'then' })
})
