import { HeldResult } from '../../core/held-result.js'

/** A result that has stayed on a Dask cluster. */
export class ClusterResult extends HeldResult {
  readonly typeName: string
  readonly nbytes: number | undefined
  readonly session: object
  readonly #fetch: (result: ClusterResult) => Promise<unknown>

  constructor(
    session: object,
    { typeName = 'object', nbytes }: { readonly typeName?: string | undefined; readonly nbytes?: number | undefined },
    fetch: (result: ClusterResult) => Promise<unknown>,
  ) {
    super()
    this.session = session
    this.typeName = typeName
    this.nbytes = nbytes
    this.#fetch = fetch
  }

  protected load(): Promise<unknown> {
    return this.#fetch(this)
  }
}
