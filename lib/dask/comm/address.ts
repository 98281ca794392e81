import { MintakaError } from '../../core/errors.js'

/** Where a peer listens. */
export interface Address {
  readonly protocol: 'tcp' | 'tls'
  /** A name or an IP address, without the brackets of IPv6. */
  readonly host: string
  readonly port: number
}

/** Reads `tcp://host:port`, `tls://[::1]:port`, or `host:port`, which is TCP. Throws INVALID_ARGUMENT. */
export function parseAddress(address: string): Address {
  const match =
    /^(?:(?<protocol>[a-z][a-z0-9+.-]*):\/\/)?(?:\[(?<ipv6>[^\]]+)\]|(?<name>[^:/[\]\s]+)):(?<port>\d{1,5})\/?$/i.exec(
      address,
    )
  const { protocol = 'tcp', ipv6, name, port } = match?.groups ?? {}
  const host = ipv6 ?? name
  if (host === undefined || Number(port) > 65_535) throw refused(address, 'it is not of the form tcp://host:port')
  if (protocol === 'tcp' || protocol === 'tls') return { protocol, host, port: Number(port) }
  throw refused(address, `Mintaka speaks tcp:// and tls:// with Dask, not ${protocol}://`)
}

export function formatAddress({ protocol, host, port }: Address): string {
  return `${protocol}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function refused(address: string, why: string): MintakaError {
  return new MintakaError('INVALID_ARGUMENT', `'${address}' is not the address of a Dask scheduler or worker: ${why}.`)
}
