/** The door of a pool's thread: Piscina calls it with one envelope at a time. */
import { workerData } from 'node:worker_threads'
import {
  ClaimSlot,
  type PackedEnvelope,
  packReply,
  type Reply,
  type ThreadData,
  unpack,
} from '../lib/threads/protocol.js'
import { carryOut } from './carry-out.js'
import { installDoor } from './door.js'
import { drain, isWriting } from './output.js'
import { watchStrays } from './strays.js'

// Before anything of the user's is loaded: stacks are in the lines of the files that people wrote.
process.setSourceMapsEnabled(true)
installDoor()
const slot = new ClaimSlot((workerData as ThreadData).mintaka)
const strays = watchStrays()

export default function thread(packed: PackedEnvelope): unknown {
  const envelope = unpack(packed)
  const moved: ArrayBuffer[] = []
  strays.begin(envelope.n)
  const reply = carryOut(envelope, slot, moved)
  return reply instanceof Promise ? reply.then(reply => send(reply, moved)) : send(reply, moved)
}

function send(reply: Reply, moved: ArrayBuffer[]): unknown {
  strays.end()
  if (moved.length === 0 && !isWriting()) return packReply(reply)
  return sendSlowly(reply, moved)
}

async function sendSlowly(reply: Reply, moved: ArrayBuffer[]): Promise<unknown> {
  // What the task has printed comes before its result, or a process that exits on it would lose the lines.
  await drain()
  if (moved.length === 0) return packReply(reply)
  const { Piscina } = await import('piscina')
  const { transferableSymbol, valueSymbol } = Piscina
  return Piscina.move({ [transferableSymbol]: moved, [valueSymbol]: packReply(reply) } as unknown as ArrayBuffer)
}
