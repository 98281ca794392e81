import { test } from 'tap'
import { asError, errorCodes, isMintakaError, MintakaError } from '../../lib/core/errors.js'

test('an error has its code, its fields and its cause', async t => {
  const cause = new Error('why')
  const error = new MintakaError('CANCELLED', 'stopped', { cause, task: 'a', line: 3 })
  t.ok(error instanceof Error)
  t.match(error, { name: 'MintakaError', code: 'CANCELLED', message: 'stopped', task: 'a', line: 3, cause })
  t.notOk('cause' in new MintakaError('CANCELLED', 'stopped'))
  t.ok('cause' in new MintakaError('CANCELLED', 'stopped', { cause: undefined }), 'undefined can be thrown')
  t.strictSame(Object.keys(error).sort(), ['code', 'line', 'task'])
})

test('an error is recognised across copies of this library, by code if one is given', async t => {
  const error = new MintakaError('CANCELLED', 'stopped')
  t.ok(isMintakaError(error))
  t.ok(isMintakaError(error, 'CANCELLED'))
  t.notOk(isMintakaError(error, 'CRASHED'))
  for (const value of [new Error('x'), { code: 'CANCELLED' }, null, undefined, 'CANCELLED'])
    t.notOk(isMintakaError(value))
})

test('whatever was thrown can be read as an Error', async t => {
  const error = new TypeError('x')
  t.equal(asError(error), error)
  t.equal(asError('text').message, 'text')
  t.match(asError(undefined).message, /not an Error was thrown: undefined/)
  const foreign = { message: 'm', stack: 's' }
  t.equal(asError(foreign), foreign)
})

test('every code has a sentence', async t => {
  for (const [code, sentence] of Object.entries(errorCodes)) {
    t.match(code, /^[A-Z][A-Z_]+$/)
    t.match(sentence, /^[a-z].*[^.]$/)
  }
})
