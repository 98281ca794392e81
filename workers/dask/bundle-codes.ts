import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { serialize } from 'node:v8'
import { writeBundle } from '../../lib/dask/bundle-folder.js'
import type { CallPayload, CodeBundle } from '../../lib/dask/payload.js'
import type { Code } from '../../lib/threads/protocol.js'

type BundleRef = Extract<CallPayload['code'], { readonly type: 'bundle' }>

/** The code of a call, ready for threads, and what it expects to be installed. */
export interface ReadyCode {
  readonly code: Code
  readonly external: readonly string[]
}

/** A bundle in its folder, and the keys by which threads know what is in it. */
interface Written {
  readonly folder: string
  readonly external: readonly string[]
  readonly codeKeys: Set<string>
}

/** The code of tasks: bundles are written into a folder when a call first needs them. */
export class BundleCodes {
  private readonly cache: string
  private readonly forgotten: (codeKey: string) => void
  /** By Dask key. */
  private readonly bundles = new Map<string, Written | Promise<Written>>()
  /** How many calls use a code, by its key. */
  private readonly uses = new Map<string, number>()
  /** Codes of which no more calls will come. */
  private readonly outdated = new Set<string>()

  /** `forgotten` is told of code that will not come again, and that no call uses any more. */
  constructor(cache: string, forgotten: (codeKey: string) => void) {
    this.cache = cache
    this.forgotten = forgotten
  }

  /** `bundle` gives what the key of the code holds. Rejects with what makes the code impossible. */
  of({ taskName, code }: CallPayload, bundle: (key: string) => CodeBundle): ReadyCode | Promise<ReadyCode> {
    if (code.type === 'module') {
      const { url, exportName } = code
      return { code: { key: `${url}#${exportName}#${taskName}`, taskName, url, exportName }, external: [] }
    }
    let written = this.bundles.get(code.key)
    if (!written) this.bundles.set(code.key, (written = this.write(code.key, bundle(code.key))))
    return written instanceof Promise
      ? written.then(written => ready(taskName, code, written))
      : ready(taskName, code, written)
  }

  /** The key is not here any more. */
  forget(key: string): void {
    const written = this.bundles.get(key)
    if (!written || written instanceof Promise) return
    this.bundles.delete(key)
    for (const codeKey of written.codeKeys) this.outdate(codeKey)
  }

  /** A call begins to use a code. */
  begins({ code }: ReadyCode): void {
    this.uses.set(code.key, (this.uses.get(code.key) ?? 0) + 1)
    this.outdated.delete(code.key)
  }

  /** It has ended. */
  ends({ code }: ReadyCode): void {
    const left = (this.uses.get(code.key) ?? 1) - 1
    if (left > 0) return void this.uses.set(code.key, left)
    this.uses.delete(code.key)
    if (this.outdated.delete(code.key)) this.forgotten(code.key)
  }

  private outdate(codeKey: string): void {
    if (this.uses.has(codeKey)) this.outdated.add(codeKey)
    else this.forgotten(codeKey)
  }

  private async write(key: string, bundle: CodeBundle): Promise<Written> {
    try {
      const folder = await writeBundle(bundle, { cache: this.cache })
      const written = { folder, external: bundle.external, codeKeys: new Set<string>() }
      this.bundles.set(key, written)
      return written
    } catch (error) {
      this.bundles.delete(key)
      throw error
    }
  }
}

function ready(taskName: string, { hash, module, captures }: BundleRef, written: Written): ReadyCode {
  const key = `${hash}/${module}${captures === undefined ? '' : `#${hashOf(captures)}`}`
  written.codeKeys.add(key)
  const url = pathToFileURL(join(written.folder, module)).href
  return { code: { key, taskName, url, captures }, external: written.external }
}

// Two calls of one task may have captured different values: each has its own function in a thread.
function hashOf(captures: unknown): string {
  return createHash('sha256').update(serialize(captures)).digest('base64url')
}
