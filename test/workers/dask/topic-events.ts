import { test } from 'tap'
import { TopicEvents } from '../../../workers/dask/topic-events.js'

function events() {
  const sent: unknown[] = []
  return { sent, events: new TopicEvents(message => sent.push(message)) }
}

test('what is said within a few milliseconds goes as one message for each topic, by itself', async t => {
  const { sent, events: own } = events()
  own.tell('a', ['progress', 'x', 0.1, null])
  own.tell('b', ['progress', 'y', 0.2, null])
  own.tell('a', ['progress', 'x', 0.3, null])
  t.strictSame(sent, [])
  while (sent.length < 2) await new Promise(setImmediate)
  t.strictSame(sent, [
    {
      op: 'log-event',
      topic: 'a',
      msg: [
        ['progress', 'x', 0.1, null],
        ['progress', 'x', 0.3, null],
      ],
    },
    { op: 'log-event', topic: 'b', msg: [['progress', 'y', 0.2, null]] },
  ])
})

test('what a call has said goes before its end is told', async t => {
  const { sent, events: own } = events()
  own.tell('a', ['started', 'x', 0])
  own.tell('a', ['log', 'x', 'info', 'one', null, 1])
  own.ends('a', 'x')
  t.match(sent, [{ msg: [['started'], ['log']] }])
  own.flush()
  t.equal(sent.length, 1)
})

test('that a short call has begun is not worth a message; of others it is kept', async t => {
  const { sent, events: own } = events()
  own.tell('a', ['started', 'x', 0])
  own.tell('a', ['started', 'y', 0])
  own.ends('a', 'x')
  own.ends('none', 'x')
  own.flush()
  t.match(sent, [{ msg: [['started', 'y', 0]] }])
  own.tell('a', ['started', 'z', 0])
  own.ends('a', 'z')
  own.flush()
  t.equal(sent.length, 1)
})
