/** What a row of a batch is: a letter. The rows stand in the order in which things happened. */
export const rowKinds = {
  pending: 'P',
  running: 'R',
  /** COMPLETED with a result that is plain JSON and short. */
  plain: 'C',
  /** COMPLETED with a result as the codec has written it. */
  coded: 'O',
  /** COMPLETED with a result that has a file. */
  file: 'F',
  /** COMPLETED with `undefined`. */
  nothing: 'V',
  /** COMPLETED with a result that nobody wanted to keep. */
  unwanted: 'N',
  /** COMPLETED with a result that could not be kept. */
  refused: 'X',
} as const

/** The letter of a row. */
export type RowKind = (typeof rowKinds)[keyof typeof rowKinds]

/** Whether JSON carries a result exactly, and it is small and never changes. */
export function isPlain(result: unknown): boolean {
  switch (typeof result) {
    case 'number':
      return isPlainNumber(result)
    case 'string':
      return result.length <= maxString
    case 'boolean':
      return true
    default:
      return result === null
  }
}

/** The longest string that is kept as it is until the batch is written. */
const maxString = 1024

/** Whether JSON carries a number exactly. */
export function isPlainNumber(value: unknown): value is number {
  return Number.isFinite(value) && !Object.is(value, -0)
}
