/** Times things against each other: interleaved rounds in one process, so that what else the machine does hits all alike. */

export interface Contest {
  readonly name: string
  /** Runs once and gives microseconds per task. */
  readonly measure: () => Promise<number>
  /** The one it is held against; none for a peer. */
  readonly against?: string
  /** The least ratio that will do: peer's time / own time. */
  readonly goal?: number
}

export interface Result {
  readonly name: string
  /** Microseconds per task. */
  readonly median: number
  readonly against?: string | undefined
  readonly goal?: number | undefined
  /** Peer's time / own time, round by round. */
  readonly ratios: readonly number[]
}

/** One round that does not count, then `rounds` that do. */
export async function interleave(contests: readonly Contest[], rounds: number): Promise<Result[]> {
  const times = new Map(contests.map(({ name }) => [name, [] as number[]]))
  for (let round = -1; round < rounds; round++) {
    for (const { name, measure } of contests) {
      globalThis.gc?.()
      const time = await measure()
      if (round >= 0) times.get(name)?.push(time)
    }
  }
  return contests.map(({ name, against, goal }) => {
    const own = times.get(name) ?? []
    const peer = against === undefined ? [] : (times.get(against) ?? [])
    return { name, median: median(own), against, goal, ratios: own.map((time, round) => (peer[round] ?? time) / time) }
  })
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? Number.NaN
}

/** A markdown table. */
export function table(results: readonly Result[]): string {
  const rows = results.map(({ name, median: time, against, goal, ratios }) => {
    if (against === undefined) return `| ${name} | ${time.toFixed(2)} | | |`
    const [least = 0, most = 0] = [Math.min(...ratios), Math.max(...ratios)]
    const ratio = `${median(ratios).toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)})`
    return `| ${name} | ${time.toFixed(2)} | ${ratio} × ${against} | ${goal === undefined ? '' : `≥ ${goal}`} |`
  })
  return [
    '| | µs per task (median) | paired ratio: median (least to most) | goal |',
    '|---|---|---|---|',
    ...rows,
  ].join('\n')
}
