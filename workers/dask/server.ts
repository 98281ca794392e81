import net, { type AddressInfo, type Server, type Socket } from 'node:net'
import tls from 'node:tls'
import { asError, MintakaError } from '../../lib/core/errors.js'
import { formatAddress } from '../../lib/dask/comm/address.js'
import { Comm } from '../../lib/dask/comm/comm.js'
import type { TlsOptions } from '../../lib/dask/comm/connect.js'
import { type Fields, isFields } from '../../lib/dask/protocol/fields.js'
import { encodeError } from '../../lib/dask/values/errors.js'

/** Answers what a peer asks; {@link noReply}: it has been answered already. */
export type Operation = (message: Fields, comm: Comm) => unknown

export const noReply = Symbol('no reply')

export interface ServerOptions {
  readonly host: string
  /** Tried one after the other; 0 is any that is free. */
  readonly ports: readonly number[]
  readonly tls: TlsOptions | undefined
  /** By name. */
  readonly operations: ReadonlyMap<string, Operation>
  /** Told of what went wrong while a peer was answered. */
  readonly onError: (op: string, error: unknown) => void
}

/** What a worker's peers talk to: one question after the other on each connection. */
export class WorkerServer {
  /** `tcp://host:port` */
  readonly address: string
  readonly port: number
  private readonly server: Server
  private readonly comms: Set<Comm>

  private constructor(server: Server, comms: Set<Comm>, { host, tls }: ServerOptions) {
    this.server = server
    this.comms = comms
    this.port = (server.address() as AddressInfo).port
    this.address = formatAddress({ protocol: tls ? 'tls' : 'tcp', host, port: this.port })
  }

  /** Listens. Rejects with DASK_CONNECT if it cannot. */
  static async open(options: ServerOptions): Promise<WorkerServer> {
    const comms = new Set<Comm>()
    const server = serverFor(options.tls, socket => void attend(socket, comms, options))
    await listen(server, options)
    return new WorkerServer(server, comms, options)
  }

  /** Ends all connections. Resolves when the port is free. */
  close(): Promise<void> {
    for (const comm of this.comms) comm.abort()
    return new Promise(resolve => void this.server.close(() => resolve()))
  }
}

// Whoever has no certificate of the cluster is not heard.
function serverFor(options: TlsOptions | undefined, onSocket: (socket: Socket) => void): Server {
  if (!options) return net.createServer(onSocket)
  const { ca, cert, key } = options
  return tls.createServer({ ca, cert, key, requestCert: true, rejectUnauthorized: true }, onSocket)
}

async function listen(server: Server, { host, ports }: ServerOptions): Promise<void> {
  let last: unknown
  for (const port of ports) {
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, () => {
          server.off('error', reject)
          resolve()
        })
      })
      return
    } catch (error) {
      last = error
    }
  }
  const where =
    ports.length === 1 ? `${host}:${ports[0]}` : `any of the ports ${ports[0]} to ${ports.at(-1)} of ${host}`
  const text = `The worker cannot listen on ${where}: ${asError(last).message}. Choose another --worker-port or --host.`
  throw new MintakaError('DASK_CONNECT', text, { cause: last })
}

async function attend(socket: Socket, comms: Set<Comm>, options: ServerOptions): Promise<void> {
  let comm: Comm | undefined
  try {
    comm = await Comm.accept(socket)
    comms.add(comm)
    while (await answerNext(comm, options)) await comm.drained()
  } catch {
    // It has hung up, or does not speak the protocol: there is nobody to tell.
  }
  if (!comm) return
  comms.delete(comm)
  comm.close()
}

/** Whether another question may follow. */
async function answerNext(comm: Comm, { operations, onError }: ServerOptions): Promise<boolean> {
  const message = await comm.read()
  if (!isFields(message)) return false
  const { op, reply = true, close = false } = message
  if (op === 'close') {
    if (reply) comm.write('OK')
    return false
  }
  const name = String(op)
  let answer: unknown
  try {
    const operation = operations.get(name)
    if (!operation) throw new Error(`No handler ${name} on a Node worker.`)
    answer = await operation(message, comm)
  } catch (error) {
    onError(name, error)
    answer = failure(error, 'uncaught-error')
  }
  if (comm.isClosed) return false
  if (reply && answer !== noReply) comm.write(answer)
  return close !== true
}

/** What Python raises for whoever has asked. */
export function failure(error: unknown, status: 'error' | 'uncaught-error') {
  const { exception, traceback, exceptionText, tracebackText } = encodeError(error)
  return {
    status,
    text: exceptionText,
    exception,
    traceback,
    exception_text: exceptionText,
    traceback_text: tracebackText,
  }
}
