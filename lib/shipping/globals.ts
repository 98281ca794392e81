import { runInNewContext } from 'node:vm'

/** What every file of CommonJS finds. */
export const moduleNames = ['require', 'module', 'exports', '__dirname', '__filename'] as const

/** Global names of Node 20.19, beside those of the language. */
const nodeNames = `
  AbortController AbortSignal Blob BroadcastChannel Buffer ByteLengthQueuingStrategy CompressionStream
  CountQueuingStrategy Crypto CryptoKey CustomEvent DOMException DecompressionStream Event EventTarget File FormData
  Headers MessageChannel MessageEvent MessagePort Performance PerformanceEntry PerformanceMark PerformanceMeasure
  PerformanceObserver PerformanceObserverEntryList PerformanceResourceTiming ReadableByteStreamController
  ReadableStream ReadableStreamBYOBReader ReadableStreamBYOBRequest ReadableStreamDefaultController
  ReadableStreamDefaultReader Request Response SubtleCrypto TextDecoder TextDecoderStream TextEncoder
  TextEncoderStream TransformStream TransformStreamDefaultController URL URLSearchParams WebAssembly WritableStream
  WritableStreamDefaultController WritableStreamDefaultWriter atob btoa clearImmediate clearInterval clearTimeout
  console crypto fetch global performance process queueMicrotask setImmediate setInterval setTimeout structuredClone
`
  .trim()
  .split(/\s+/)

/** Global names that came later, with the first major version of Node that has them without a flag. */
const laterNames: Readonly<Record<string, number>> = {
  Navigator: 21,
  navigator: 21,
  WebSocket: 22,
  CloseEvent: 23,
  URLPattern: 24,
  ErrorEvent: 25,
  Storage: 25,
  localStorage: 25,
  sessionStorage: 25,
}

let known: Set<string> | undefined
let ofLanguage: Set<string> | undefined

/**
 * Whether a worker has the global `name`. Asked of a fresh realm and a list, not of `globalThis`: test runners put
 * `describe` and their kind there, and workers do not have them.
 */
export function isGlobal(name: string): boolean {
  known ??= new Set([...languageNames(), ...nodeNames, ...moduleNames, ...newNames(), 'arguments'])
  return known.has(name)
}

/** Whether a name is one of the language itself: `Array`, `BigInt`, `Symbol`. */
export function isOfLanguage(name: string): boolean {
  return languageNames().has(name) && name !== 'globalThis' && name !== 'console'
}

function languageNames(): Set<string> {
  ofLanguage ??= new Set(runInNewContext('Object.getOwnPropertyNames(globalThis)') as string[])
  return ofLanguage
}

function newNames(): string[] {
  const major = Number.parseInt(process.versions.node, 10)
  return Object.keys(laterNames).filter(name => laterNames[name]! <= major)
}
