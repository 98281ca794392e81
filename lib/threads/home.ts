import type { MessagePort } from 'node:worker_threads'
import { expose } from 'comlink'
import { MintakaError } from '../core/errors.js'
import { type SharedValues, sharedValues } from './shared-values.js'

/** What a thread may ask of the main thread. Each thread has one, which it opens when it first needs an answer. */
export interface Home {
  /** The memory of a shared value that a call refers to. The thread keeps it until it is told to forget it. */
  sharedValue(number: number): SharedArrayBuffer
}

/** What is told to a thread by the same port: it asked for no answer. */
export interface HomeNotice {
  readonly forget: number
}

/** Answers a thread that has opened its port, until the thread ends. Keeps no process alive. */
export function welcome(port: MessagePort, values: SharedValues = sharedValues): void {
  const given = new Set<number>()
  const home: Home = {
    sharedValue(number) {
      const memory = values.memoryOf(number)
      if (!memory) throw new MintakaError('WORKER_LOST', `A call asked for the shared value ${number} after its end.`)
      given.add(number)
      return memory
    },
  }
  const stop = values.onForgotten(number => {
    if (given.delete(number)) port.postMessage({ forget: number } satisfies HomeNotice)
  })
  port.on('close', stop)
  expose(home, port)
  port.unref()
}
