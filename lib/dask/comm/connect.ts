import net, { type Socket } from 'node:net'
import tls from 'node:tls'
import { MintakaError } from '../../core/errors.js'
import { onAbort } from '../../core/on-abort.js'
import { type Address, parseAddress } from './address.js'
import { noConnection } from './no-connection.js'

/** Contents of PEM files: the authority that signs for the cluster, and our own certificate with its key. */
export interface TlsOptions {
  /** The certificate of the authority. */
  readonly ca?: string | Buffer | undefined
  /** Our certificate, signed by it. */
  readonly cert?: string | Buffer | undefined
  /** The key of our certificate. */
  readonly key?: string | Buffer | undefined
}

export interface ConnectOptions {
  /** For addresses that begin with `tls://`. */
  readonly tls?: TlsOptions | undefined
  /** The hello of both sides included; 10 000 if not given. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * A connected socket, given to `take` at once: nothing that happens to it goes unseen. Rejects with DASK_CONNECT, or with
 * the reason of the signal.
 */
export function openSocket<T>(address: string, options: ConnectOptions, take: (socket: Socket) => T): Promise<T> {
  return new Promise((resolve, reject) => {
    const { signal, timeoutMs } = options
    signal?.throwIfAborted()
    const where = parseAddress(address)
    const socket = start(where, options.tls, address)
    const giveUp = (error: unknown) => {
      settle()
      socket.on('error', () => undefined)
      socket.destroy()
      reject(error)
    }
    const timer = setTimeout(() => giveUp(noConnection(address, undefined, timeoutMs)), timeoutMs)
    const stop = signal && onAbort(signal, () => giveUp(signal.reason))
    const onError = (error: Error) => giveUp(noConnection(address, error))
    const onClose = () => giveUp(noConnection(address, new Error('the other side closed it')))
    const onConnect = () => {
      settle()
      resolve(take(socket))
    }
    const settle = () => {
      clearTimeout(timer)
      stop?.()
      socket.off('error', onError).off('close', onClose).off(connected, onConnect)
    }
    const connected = where.protocol === 'tls' ? 'secureConnect' : 'connect'
    socket.on('error', onError).on('close', onClose).on(connected, onConnect)
  })
}

function start({ protocol, host, port }: Address, options: TlsOptions = {}, address: string): Socket {
  if (protocol === 'tcp') return net.connect({ host, port, noDelay: true })
  const { ca, cert, key } = options
  try {
    // The names in Dask's certificates mean nothing: whoever the authority has signed for is one of the cluster.
    return tls.connect({ host, port, ca, cert, key, checkServerIdentity: () => undefined })
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const text = `The certificates for ${address} cannot be used: ${why}. Give the contents of PEM files as tls: { ca, cert, key }.`
    throw new MintakaError('INVALID_OPTION', text, { option: 'tls', cause })
  }
}
