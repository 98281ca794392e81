import { getEventListeners } from 'node:events'
import { test } from 'tap'
import { onAbort } from '../../lib/core/on-abort.js'

test('all who wait for a signal are told, by one listener', async t => {
  const controller = new AbortController()
  const told: number[] = []
  const forget = [0, 1, 2].map(index => onAbort(controller.signal, () => told.push(index)))
  t.equal(getEventListeners(controller.signal, 'abort').length, 1)
  forget[1]?.()
  controller.abort()
  t.strictSame(told, [0, 2])
  t.doesNotThrow(() => forget[0]?.())
})

test('when the last one lets go the signal is as it was', async t => {
  const { signal } = new AbortController()
  const forget = [onAbort(signal, () => {}), onAbort(signal, () => {})]
  forget[0]?.()
  t.equal(getEventListeners(signal, 'abort').length, 1)
  forget[1]?.()
  forget[1]?.()
  t.equal(getEventListeners(signal, 'abort').length, 0)
  const again = onAbort(signal, () => {})
  t.equal(getEventListeners(signal, 'abort').length, 1)
  again()
})
