import type { Socket } from 'node:net'
import { asError, type ErrorDetails, isMintakaError, MintakaError } from '../../core/errors.js'
import { onAbort } from '../../core/on-abort.js'
import { FrameReader, frameHead } from '../protocol/frames.js'
import { malformed, malformedBy } from '../protocol/malformed.js'
import { decodeMessage, encodeMessage } from '../protocol/message.js'
import { formatAddress } from './address.js'
import { type ConnectOptions, openSocket } from './connect.js'
import { hello, isHello } from './hello.js'
import { Inbox } from './inbox.js'
import { noConnection } from './no-connection.js'

/** Smaller messages go to the socket in one piece. */
const worthJoining = 131_072
/** How long a peer may take to read what is left when we close. */
const lingerMs = 5_000
const keepAliveMs = 10_000
/** How long a peer may take to say hello. */
const helloMs = 10_000

/** One connection to a Dask peer, over which whole messages go both ways. Both have said hello when it is given out. */
export class Comm {
  /** The address of the other side: as it was asked for, or where the connection came from. */
  readonly peer: string
  private readonly socket: Socket
  private readonly reader = new FrameReader(frames => this.receive(frames))
  private readonly inbox = new Inbox()
  private readonly onDrained: (() => void)[] = []
  private readonly onClosed: ((error: Error | undefined) => void)[] = []
  /** Whether nothing is to be told to the listener any more. */
  private isDeaf = false
  /** Why it ended; `error` is undefined if we closed it. */
  private end: { readonly error: Error | undefined } | undefined

  /** Over a connected socket, before anything was said. */
  private constructor(socket: Socket, peer: string) {
    this.socket = socket
    this.peer = peer
    socket.setNoDelay(true)
    socket.setKeepAlive(true, keepAliveMs)
    socket.on('data', chunk => this.feed(chunk))
    socket.on('drain', () => this.tellDrained())
    socket.on('error', error => this.fail(this.lost(error.message, error)))
    socket.on('close', () => this.fail(this.lost('the other side closed it')))
  }

  /**
   * Connects to a scheduler or worker. Rejects with DASK_CONNECT, which names the address, the reason and the fix, after
   * `timeoutMs` (10 000) at the latest; with the reason of `signal` if that is aborted.
   */
  static async connect(address: string, options: ConnectOptions = {}): Promise<Comm> {
    const { timeoutMs = helloMs, signal } = options
    const deadline = performance.now() + timeoutMs
    const comm = await openSocket(address, { ...options, timeoutMs }, socket => new Comm(socket, address))
    const stop = signal && onAbort(signal, () => comm.abort())
    try {
      return await comm.sayHello(deadline - performance.now())
    } catch (thrown) {
      signal?.throwIfAborted()
      throw noConnection(address, thrown)
    } finally {
      stop?.()
    }
  }

  /** Says hello on a connection that a server of ours was given. Rejects if the peer does not; the socket is then gone. */
  static accept(socket: Socket, timeoutMs = helloMs): Promise<Comm> {
    return new Comm(socket, peerOf(socket)).sayHello(timeoutMs)
  }

  // Some peers speak first, others wait for us: so neither waits.
  private async sayHello(timeoutMs: number): Promise<this> {
    try {
      this.write(hello)
      const message = await this.read(Math.max(1, Math.ceil(timeoutMs)))
      if (!isHello(message)) throw malformedBy(this.peer, malformed('it does not begin with a handshake'))
      return this
    } catch (thrown) {
      this.abort()
      throw thrown
    }
  }

  get isClosed(): boolean {
    return this.end !== undefined
  }

  /**
   * Queues a message; its large bytes are not copied, so they must stay as they are until it is `drained`. Throws
   * DASK_CONNECT if the connection is closed, INVALID_ARGUMENT for what no message can hold.
   */
  write(message: unknown): void {
    this.expectOpen()
    this.writeFrames(encodeMessage(message))
  }

  /** As {@link write}, of a message that has been encoded. */
  writeFrames(frames: readonly Uint8Array[]): void {
    this.expectOpen()
    const head = frameHead(frames)
    const total = frames.reduce((sum, { length }) => sum + length, 0)
    if (total < worthJoining) {
      this.socket.write(Buffer.concat([head, ...frames]))
      return
    }
    this.socket.cork()
    this.socket.write(head)
    for (const frame of frames) if (frame.length > 0) this.socket.write(frame)
    this.socket.uncork()
  }

  /** Whether so much is waiting to be sent that it is better to wait for {@link drained}. */
  get isFull(): boolean {
    return !this.isClosed && this.socket.writableNeedDrain
  }

  /** Resolves when the socket takes more: at once if it does, and also when the connection is closed. */
  drained(): Promise<void> {
    if (!this.isFull) return Promise.resolve()
    return new Promise(resolve => {
      this.onDrained.push(resolve)
    })
  }

  /** The next message. Rejects with DASK_CONNECT if the connection ends, or the message takes longer than `timeoutMs`. */
  read(timeoutMs?: number): Promise<unknown> {
    if (this.end && this.inbox.isEmpty) return Promise.reject(this.end.error ?? this.closed())
    const message = this.inbox.next(timeoutMs, () => this.error(`${this.peer} has not answered in ${timeoutMs} ms.`))
    if (!this.inbox.isFull) this.socket.resume()
    return message
  }

  /**
   * Gives every message to `onMessage` from now on, beginning with those that have arrived already. If it throws, the
   * connection is aborted: `whenClosed` tells that error.
   */
  listen(onMessage: (message: unknown) => void): void {
    this.inbox.listen(message => {
      if (!this.isDeaf) this.tell(onMessage, message)
    })
    this.socket.resume()
  }

  /** Calls back once, when it has ended; at once if it has. There is no error if this side has closed it. */
  whenClosed(callback: (error: Error | undefined) => void): void {
    if (this.end) callback(this.end.error)
    else this.onClosed.push(callback)
  }

  /** Ends the connection after what has been written. Nothing is read from now on. */
  close(): void {
    this.isDeaf = true
    if (this.end) return
    this.finish(undefined)
    this.socket.resume()
    this.socket.end()
    const timer = setTimeout(() => this.socket.destroy(), lingerMs)
    timer.unref()
    this.socket.once('close', () => clearTimeout(timer))
  }

  /** Ends the connection at once. */
  abort(): void {
    this.isDeaf = true
    this.finish(undefined)
    this.socket.destroy()
  }

  private feed(chunk: Buffer): void {
    if (this.end) return
    try {
      this.reader.feed(chunk)
    } catch (thrown) {
      this.fail(isMintakaError(thrown, 'DASK_PROTOCOL') ? malformedBy(this.peer, thrown) : asError(thrown))
    }
  }

  private receive(frames: readonly Buffer[]): void {
    if (this.end) return
    this.inbox.put(decodeMessage(frames))
    if (this.inbox.isFull) this.socket.pause()
  }

  private tell(listener: (message: unknown) => void, message: unknown): void {
    try {
      listener(message)
    } catch (thrown) {
      this.isDeaf = true
      this.fail(asError(thrown))
    }
  }

  private fail(error: Error): void {
    this.finish(error)
    this.socket.destroy()
  }

  private finish(error: Error | undefined): void {
    if (this.end) return
    this.end = { error }
    this.tellDrained()
    this.inbox.fail(error ?? this.closed())
    for (const callback of this.onClosed.splice(0)) callback(error)
  }

  private tellDrained(): void {
    for (const resolve of this.onDrained.splice(0)) resolve()
  }

  private expectOpen(): void {
    if (this.end) throw this.end.error ?? this.closed()
  }

  private closed(): MintakaError {
    return this.error(`The connection to ${this.peer} has been closed.`)
  }

  private lost(why: string, cause?: Error): MintakaError {
    return this.error(`The connection to ${this.peer} was lost: ${why}.`, cause === undefined ? {} : { cause })
  }

  private error(message: string, details: ErrorDetails = {}): MintakaError {
    return new MintakaError('DASK_CONNECT', message, { peer: this.peer, ...details })
  }
}

function peerOf(socket: Socket): string {
  const { remoteAddress: host = 'unknown', remotePort: port = 0 } = socket
  return formatAddress({ protocol: 'encrypted' in socket ? 'tls' : 'tcp', host, port })
}
