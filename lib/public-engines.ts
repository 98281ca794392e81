import { MintakaError } from './core/errors.js'
import type { Engine } from './engine/engine.js'

/** By their public face. */
const engines = new WeakMap<object, Engine>()

/** Remembers which engine is behind a public one. */
export function registerEngine(face: object, engine: Engine): void {
  engines.set(face, engine)
}

/** What is behind a public engine. */
export function engineBehind(face: object): Engine | undefined {
  return engines.get(face)
}

/** The engine that the option of a flow names. Throws INVALID_OPTION if there is none behind it. */
export function engineOf(flowName: string, face: object | undefined): Engine | undefined {
  if (face === undefined) return undefined
  const engine = engineBehind(face)
  if (engine) return engine
  throw new MintakaError(
    'INVALID_OPTION',
    `The option 'engine' of flow '${flowName}' should be what createEngine() gave.`,
  )
}
