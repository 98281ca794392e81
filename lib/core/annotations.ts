import { MintakaError } from './errors.js'

/**
 * Hints for the executor, in Dask's words. `priority` and `resources` are heeded on threads; what an executor does not
 * know rests unused, so that one task can be written for several.
 */
export interface Annotations {
  /** Higher runs first. Default 0. */
  readonly priority?: number | undefined
  /**
   * What the task takes while it runs, by name: `{ GPU: 1 }`. It runs when that is free. More than there will ever be is
   * RESOURCES_UNAVAILABLE.
   */
  readonly resources?: Readonly<Record<string, number>> | undefined
  /** Addresses or names of the Dask workers that may run it. */
  readonly workers?: readonly string[] | undefined
  /** Whether other workers may run it when those are gone. */
  readonly allowOtherWorkers?: boolean | undefined
  /** How often Dask itself runs it again when its worker dies. */
  readonly retries?: number | undefined
}

const kinds: Record<keyof Annotations, (value: unknown) => boolean> = {
  priority: value => typeof value === 'number' && !Number.isNaN(value),
  resources: value =>
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every(amount => typeof amount === 'number' && amount >= 0),
  workers: value => Array.isArray(value) && value.every(name => typeof name === 'string'),
  allowOtherWorkers: value => typeof value === 'boolean',
  retries: value => Number.isInteger(value) && (value as number) >= 0,
}

/** Gives the annotations back, or throws INVALID_ANNOTATION naming the key that is misspelt or the value that is wrong. */
export function checkAnnotations(annotations: Annotations): Annotations {
  for (const [key, value] of Object.entries(annotations)) {
    const isRight = Object.hasOwn(kinds, key) ? kinds[key as keyof Annotations] : undefined
    if (!isRight) {
      const known = Object.keys(kinds).join(', ')
      throw new MintakaError('INVALID_ANNOTATION', `There is no annotation '${key}'. There are: ${known}.`, { key })
    }
    if (value !== undefined && !isRight(value)) {
      throw new MintakaError('INVALID_ANNOTATION', `The annotation '${key}' cannot be ${JSON.stringify(value)}.`, {
        key,
      })
    }
  }
  return annotations
}

/** Inner annotations over outer ones; resources are merged by name. */
export function mergeAnnotations(
  outer: Annotations | undefined,
  inner: Annotations | undefined,
): Annotations | undefined {
  if (!outer) return inner
  if (!inner) return outer
  const merged = { ...outer, ...inner }
  if (outer.resources && inner.resources) return { ...merged, resources: { ...outer.resources, ...inner.resources } }
  return merged
}
