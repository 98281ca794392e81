import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { MintakaError } from '../../lib/core/errors.js'
import { parseAddress } from '../../lib/dask/comm/address.js'

/** The address of this machine on the way to another: that of the interface which the system would take. Sends nothing. */
export async function hostTowards(address: string): Promise<string> {
  const { host, port } = parseAddress(address)
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  try {
    socket.connect(port, host)
    await once(socket, 'connect')
    return socket.address().address
  } catch (cause) {
    const text = `The address of this machine on the way to ${address} cannot be found. Give it as --host.`
    throw new MintakaError('DASK_CONNECT', text, { address, cause })
  } finally {
    socket.close()
  }
}

/** The address of an interface, IPv4 if it has one. Throws INVALID_ARGUMENT. */
export function hostOf(interfaceName: string): string {
  const interfaces = networkInterfaces()
  const addresses = interfaces[interfaceName] ?? []
  const found = addresses.find(({ family }) => family === 'IPv4') ?? addresses[0]
  if (found) return found.address
  const known = Object.keys(interfaces).join(', ')
  throw new MintakaError('INVALID_ARGUMENT', `There is no network interface '${interfaceName}'. There are: ${known}.`)
}
