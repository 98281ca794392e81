import { fromWire } from '../values/wire.js'
import type { WorkCall } from './job.js'
import { print } from './print.js'
import type { Notice } from './protocol.js'

/** What a call says while it runs. */
export type Said = Extract<Notice, { readonly type: 'log' | 'printed' | 'progress' }>

/** Tells it to the call; what nobody's call has printed is printed all the same. */
export function pass(said: Said, call: WorkCall | undefined): void {
  switch (said.type) {
    case 'log':
      call?.log(said.level, said.message, fromWire(said.fields) as Fields, said.at)
      break
    case 'printed':
      print(said.level, said.text)
      call?.printed(said.level, said.text, said.at)
      break
    case 'progress':
      call?.progress(said.fraction, said.note)
  }
}

type Fields = Readonly<Record<string, unknown>> | undefined
