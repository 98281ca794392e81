import type { FlowRunFilter } from '../../core/store.js'
import type { RawLine } from '../lines/scan.js'

// What the bytes of a line of the index say before it is parsed: most are not asked for.

/** Whether a line of the index may be one that the filter asks for, by its bytes. */
export function roughFilter({
  flowName,
  match,
  parentFlowRunId,
  deployment,
  state,
}: FlowRunFilter): (line: RawLine) => boolean {
  const tests: ((text: string) => boolean)[] = []
  const raw = (text: string) => Buffer.from(text).toString('latin1')
  if (flowName?.length) {
    const words = flowName.map(name => raw(`"flow":${JSON.stringify(name)}`))
    tests.push(text => words.some(word => text.includes(word)))
  }
  if (match !== undefined) {
    const [id, name] = [raw(`{"i":${JSON.stringify(match).slice(0, -1)}`), raw(`"name":${JSON.stringify(match)},`)]
    tests.push(text => text.startsWith(id) || text.includes(name))
  }
  if (parentFlowRunId !== undefined) {
    const parent = raw(`"parent":${JSON.stringify(parentFlowRunId)}`)
    tests.push(text => text.includes(parent))
  }
  if (deployment?.length) {
    const words = deployment.map(id => raw(`"deployment":${JSON.stringify(id)}`))
    tests.push(text => words.some(word => text.includes(word)))
  }
  if (state?.length) {
    const words = state.map(word => `"${word.toLowerCase()}"`)
    tests.push(text => {
      const from = text.indexOf('"type":"')
      const states = text.slice(from, from + 60).toLowerCase()
      return words.some(word => states.includes(word))
    })
  }
  if (tests.length === 0) return () => true
  return ({ bytes, start, end }) => {
    const text = bytes.toString('latin1', start, end)
    return tests.every(test => test(text))
  }
}

/** The `mc` of a line: nothing up to it was created later. */
export function mcOf({ bytes, start, end }: RawLine): number {
  const match = /,"mc":([\d.e+]+)/.exec(bytes.toString('latin1', start, end))
  return match ? Number(match[1]) : Number.POSITIVE_INFINITY
}
