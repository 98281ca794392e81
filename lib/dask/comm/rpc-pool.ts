import { MintakaError } from '../../core/errors.js'
import { malformed } from '../protocol/malformed.js'
import { Serialized } from '../protocol/message.js'
import { decodeError } from '../values/errors.js'
import { Comm } from './comm.js'
import type { TlsOptions } from './connect.js'

export interface RpcPoolOptions {
  readonly tls?: TlsOptions | undefined
  /** How long a call may take if it does not say; without it, as long as it takes. */
  readonly timeoutMs?: number | undefined
}

/** The answer of a worker that was asked for values. */
export type DataReply =
  | { readonly status: 'OK'; readonly data: Record<string, Serialized> }
  /** It serves as many as it may already: ask again later. */
  | { readonly status: 'busy' }

type Reply = Readonly<Record<string, unknown>>

const maxConnectMs = 10_000
/** Of connections to one address. */
const maxResting = 16

/** Asks schedulers and workers. One connection carries one question at a time; those that rest are used again. */
export class RpcPool {
  private readonly options: RpcPoolOptions
  private readonly resting = new Map<string, Comm[]>()
  private readonly open = new Set<Comm>()
  private isClosed = false

  constructor(options: RpcPoolOptions = {}) {
    this.options = options
  }

  /**
   * Asks for `op`, and gives the reply. Rejects with DASK_CONNECT if there is no reply, DASK_REMOTE if the peer failed: with
   * `pyType` and the exception as `cause`.
   */
  call(
    address: string,
    op: string,
    fields: Readonly<Record<string, unknown>> = {},
    options: { readonly timeoutMs?: number } = {},
  ): Promise<unknown> {
    const timeoutMs = options.timeoutMs ?? this.options.timeoutMs
    return this.with(address, timeoutMs, async comm => {
      comm.write({ op, reply: true, ...fields })
      const reply = await comm.read(timeoutMs)
      return () => succeeded(address, op, reply)
    })
  }

  /** Asks a worker for the values of `keys`: those it has. `who` is our own address. */
  getData(address: string, keys: readonly unknown[], who: string): Promise<DataReply> {
    const { timeoutMs } = this.options
    return this.with(address, timeoutMs, async comm => {
      comm.write({ op: 'get_data', keys, who, reply: true })
      const reply = await comm.read(timeoutMs)
      // It waits until we say that we have it.
      if (isReply(reply) && reply['status'] === 'OK') comm.write('OK')
      return () => dataIn(succeeded(address, 'get_data', reply))
    })
  }

  /** Ends all connections; what is being asked rejects. */
  close(): void {
    this.isClosed = true
    this.resting.clear()
    for (const comm of this.open) comm.abort()
  }

  /** A connection is used again only if the question and its answer went through. */
  private async with<T>(
    address: string,
    timeoutMs: number | undefined,
    ask: (comm: Comm) => Promise<() => T>,
  ): Promise<T> {
    const comm = await this.take(address, timeoutMs)
    let answer: () => T
    try {
      answer = await ask(comm)
    } catch (thrown) {
      comm.abort()
      throw thrown
    }
    this.giveBack(address, comm)
    return answer()
  }

  private async take(address: string, timeoutMs = maxConnectMs): Promise<Comm> {
    this.expectOpen()
    const resting = this.resting.get(address)?.pop()
    if (resting) return resting
    const comm = await Comm.connect(address, { tls: this.options.tls, timeoutMs: Math.min(timeoutMs, maxConnectMs) })
    this.open.add(comm)
    comm.whenClosed(() => this.forget(address, comm))
    if (this.isClosed) comm.abort()
    return comm
  }

  private giveBack(address: string, comm: Comm): void {
    if (comm.isClosed) return
    const resting = this.resting.get(address) ?? []
    if (resting.length >= maxResting) return comm.close()
    resting.push(comm)
    this.resting.set(address, resting)
  }

  private forget(address: string, comm: Comm): void {
    this.open.delete(comm)
    const left = this.resting.get(address)?.filter(other => other !== comm) ?? []
    if (left.length > 0) this.resting.set(address, left)
    else this.resting.delete(address)
  }

  private expectOpen(): void {
    if (this.isClosed) throw new MintakaError('DASK_CONNECT', 'The connections to the Dask cluster have been closed.')
  }
}

function isReply(reply: unknown): reply is Reply {
  return typeof reply === 'object' && reply !== null && !Array.isArray(reply) && !(reply instanceof Serialized)
}

/** What the peer says if it did what was asked. */
function succeeded(address: string, op: string, reply: unknown): unknown {
  if (!isReply(reply) || reply['status'] !== 'uncaught-error') return reply
  const { exception, traceback, exception_text: text, traceback_text: tracebackText } = reply
  const { error: cause, pythonType } = decodeError(exception, traceback, {
    exceptionText: typeof text === 'string' ? text : undefined,
    tracebackText: typeof tracebackText === 'string' ? tracebackText : undefined,
  })
  const what = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
  throw new MintakaError('DASK_REMOTE', `${address} failed at '${op}': ${what}`, {
    address,
    op,
    pyType: pythonType,
    cause,
  })
}

function dataIn(reply: unknown): DataReply {
  if (!isReply(reply)) throw malformed('the reply to get_data is not a map')
  if (reply['status'] === 'busy') return { status: 'busy' }
  const data = reply['data']
  if (reply['status'] !== 'OK' || !isReply(data)) throw malformed('the reply to get_data has neither data nor "busy"')
  for (const key of Object.keys(data)) {
    if (!(data[key] instanceof Serialized)) throw malformed('the reply to get_data has a value that is not serialized')
  }
  return { status: 'OK', data: data as Record<string, Serialized> }
}
