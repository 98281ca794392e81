import type { DaskClient } from '../../dask/client/client.js'
import { decodeValue } from '../../dask/values/decode.js'

export interface Looked {
  readonly nbytes: number | undefined
  /** The value, or an `Undecodable`, if it is small. */
  readonly value?: unknown
}

/** Asks how large results are, many at once, and fetches those that are small. */
export class Sizes {
  readonly #client: DaskClient
  #keys: string[] = []

  constructor(client: DaskClient) {
    this.#client = client
  }

  async look(key: string, mostBytes: number): Promise<Looked> {
    const sizes = await this.#ask(key)
    const nbytes = Object.hasOwn(sizes, key) ? sizes[key] : undefined
    if (nbytes !== undefined && nbytes > mostBytes) return { nbytes }
    return { nbytes, value: decodeValue(await this.#client.gather(key)) }
  }

  #asking: Promise<Readonly<Record<string, number>>> | undefined
  #ask(key: string): Promise<Readonly<Record<string, number>>> {
    this.#keys.push(key)
    this.#asking ??= new Promise((resolve, reject) => {
      setImmediate(() => {
        const keys = this.#keys.splice(0)
        this.#asking = undefined
        this.#client.sizes(keys).then(resolve, reject)
      })
    })
    return this.#asking
  }
}
