import { type CallGroup, type DivergenceReport, describeGroup } from '../core/divergence.js'
import { type Colors, clean } from './print.js'

/** What a flow run made of the one that it continues, a line per task. */
export function describeDivergence(report: DivergenceReport, palette: Colors): string {
  const { diverged, reused, ranAgain, notKnown, notAskedFor } = report
  const parts: [string, readonly CallGroup[]][] = [
    ['taken over', reused],
    ['ran again', ranAgain],
    ['new', notKnown],
    ['not asked for', notAskedFor],
  ]
  const lines = parts.flatMap(([what, groups]) =>
    groups.map((group, index) => {
      const head = (index === 0 ? what : '').padEnd(13)
      const text = `  ${palette.dim(head)}  ${clean(describeGroup(group))}`
      return diverged && groups === notAskedFor ? palette.yellow(text) : text
    }),
  )
  const title = diverged ? 'Resumed, with other calls' : 'Resumed'
  return [palette.bold(title), ...lines].join('\n')
}
