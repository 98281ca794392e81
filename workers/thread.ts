/** The door of a pool's thread: Piscina calls it with one batch at a time. */
import { workerData } from 'node:worker_threads'
import { Claims } from '../lib/threads/claims.js'
import {
  countOf,
  type PackedBatch,
  type PackedReplies,
  packReply,
  type Reply,
  type ThreadData,
  unpackCall,
} from '../lib/threads/protocol.js'
import { carryOutBatch } from './batch.js'
import { carryOut } from './carry-out.js'
import { printAtHome } from './console.js'
import { installDoor } from './door.js'
import { drain, isWriting } from './output.js'
import { watchStrays } from './strays.js'

// Before anything of the user's is loaded: stacks are in the lines of the files that people wrote.
process.setSourceMapsEnabled(true)
installDoor()
printAtHome(console)
const claims = new Claims((workerData as ThreadData).mintaka)
const strays = watchStrays()

export default function thread(batch: PackedBatch): unknown {
  return countOf(batch) === 1 ? carryOutOne(batch) : carryOutBatch(batch, claims, strays)
}

// By the shortest way: Piscina carries the reply.
function carryOutOne(batch: PackedBatch): unknown {
  if (!claims.begin(0)) return undefined
  const envelope = unpackCall(batch, 0)
  const moved: ArrayBuffer[] = []
  strays.begin(envelope.n)
  const reply = carryOut(envelope, claims, moved)
  return reply instanceof Promise ? reply.then(reply => send(envelope.n, reply, moved)) : send(envelope.n, reply, moved)
}

function send(n: number, reply: Reply, moved: ArrayBuffer[]): unknown {
  strays.end()
  claims.end(0)
  const replies: PackedReplies = []
  packReply(replies, n, reply)
  return moved.length === 0 && !isWriting() ? replies : sendSlowly(replies, moved)
}

async function sendSlowly(replies: PackedReplies, moved: ArrayBuffer[]): Promise<unknown> {
  // What the task has printed comes before its result, or a process that exits on it would lose the lines.
  await drain()
  if (moved.length === 0) return replies
  const { Piscina } = await import('piscina')
  const { transferableSymbol, valueSymbol } = Piscina
  return Piscina.move({ [transferableSymbol]: moved, [valueSymbol]: replies } as unknown as ArrayBuffer)
}
