import { basename, resolve } from 'node:path'
import type { Metafile } from 'esbuild'

type Input = Metafile['inputs'][string]
export type Edge = Input['imports'][number]

/** How an import comes to be: the files from that of the task to the one that has it. */
export interface Found {
  readonly chain: readonly string[]
  readonly edge: Edge
}

/** Which files a bundle is made of, and which of them a task reaches. */
export class Graph {
  readonly #metafile: Metafile
  readonly #folder: string

  /** `folder`: what the paths in the metafile are relative to. */
  constructor(metafile: Metafile, folder: string) {
    this.#metafile = metafile
    this.#folder = folder
  }

  /** What the module of a task leaves to be found at run time, each with one of the shortest ways to it. */
  externalsFrom(id: string): Found[] {
    const { entryPoint = '' } = this.#metafile.outputs[this.#outputOf(id)] ?? {}
    const chains = new Map([[entryPoint, [entryPoint]]])
    const found: Found[] = []
    // the map grows while it is gone through
    for (const [key, chain] of chains) {
      for (const edge of this.#metafile.inputs[key]?.imports ?? []) {
        if (edge.external) found.push({ chain: chain.map(each => this.#fileOf(each)), edge })
        else if (!chains.has(edge.path)) chains.set(edge.path, [...chain, edge.path])
      }
    }
    return found
  }

  /** The files that ask where they are and of which something is left, in the modules that a task loads. */
  askingFrom(id: string): string[] {
    const outputs = new Set([this.#outputOf(id)])
    for (const key of outputs) {
      const { imports = [] } = this.#metafile.outputs[key] ?? {}
      for (const { path, external } of imports) if (!external) outputs.add(path)
    }
    return this.#askingIn(outputs)
  }

  /** Such files of all tasks. */
  asking(): string[] {
    return this.#askingIn(Object.keys(this.#metafile.outputs))
  }

  #askingIn(outputs: Iterable<string>): string[] {
    const inputs = [...outputs].flatMap(key => Object.entries(this.#metafile.outputs[key]?.inputs ?? {}))
    const asking = inputs.filter(([key, { bytesInOutput }]) => key.endsWith('?mintaka=here') && bytesInOutput > 0)
    return [...new Set(asking.map(([key]) => this.#fileOf(key)))]
  }

  #outputOf(id: string): string {
    return Object.keys(this.#metafile.outputs).find(key => basename(key) === `${id}.mjs`) ?? ''
  }

  #fileOf(key: string): string {
    return resolve(this.#folder, key.replace(/\?mintaka=\w+$/, '').replace(/^file:/, ''))
  }
}
