import { MessageChannel, type MessagePort } from 'node:worker_threads'
import type { Remote } from 'comlink'
import type { Home, HomeNotice } from '../lib/threads/home.js'

export interface OpenHome {
  readonly home: Remote<Home>
  onNotice(listener: (notice: HomeNotice) => void): void
}

let connect: ((port: MessagePort) => void) | undefined
let opened: Promise<OpenHome> | undefined

/** Says how the main thread is given the other end, when it is first needed. */
export function homeBy(give: (port: MessagePort) => void): void {
  connect = give
}

/** The main thread, for what needs an answer. Opened with the first question: most threads never have one. */
export function home(): Promise<OpenHome> {
  opened ??= open()
  return opened
}

async function open(): Promise<OpenHome> {
  const { wrap } = await import('comlink')
  const { port1, port2 } = new MessageChannel()
  connect?.(port2)
  const home = wrap<Home>(port1)
  // A thread that waits for nothing else may end.
  port1.unref()
  return {
    home,
    onNotice: listener => {
      port1.on('message', (message: Partial<HomeNotice>) => {
        if (message.forget !== undefined) listener(message as HomeNotice)
      })
      port1.unref()
    },
  }
}
