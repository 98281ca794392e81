/** What is sent to others, and what comes from them. */
export class Traffic {
  incomingTotal = 0
  outgoing = 0
  outgoingBytes = 0
  outgoingTotal = 0
}

export interface MetricsSource {
  readonly counts: Readonly<Record<string, number>>
  readonly incoming: { readonly transfers: number; readonly nbytes: number }
  readonly storedBytes: number
  readonly traffic: Traffic
}

/** What a stock worker is assumed to reach, in bytes per second: nothing is measured. */
const assumedBandwidth = 100_000_000

/** The numbers that go to the scheduler with each heartbeat: all that it or its dashboard reads, and nothing it can't. */
export class Metrics {
  private cpu = process.cpuUsage()
  private at = performance.now()

  read({ counts, incoming, storedBytes, traffic }: MetricsSource): Record<string, unknown> {
    const io = { read_bps: 0, write_bps: 0 }
    return {
      task_counts: counts,
      bandwidth: { total: assumedBandwidth, workers: {}, types: {} },
      digests_total_since_heartbeat: {},
      managed_bytes: storedBytes,
      spilled_bytes: { memory: 0, disk: 0 },
      transfer: {
        incoming_bytes: incoming.nbytes,
        incoming_count: incoming.transfers,
        incoming_count_total: traffic.incomingTotal,
        outgoing_bytes: traffic.outgoingBytes,
        outgoing_count: traffic.outgoing,
        outgoing_count_total: traffic.outgoingTotal,
      },
      event_loop_interval: 0.02,
      cpu: this.cpuPercent(),
      memory: process.memoryUsage.rss(),
      time: epochSeconds(),
      host_net_io: io,
      host_disk_io: io,
      num_fds: 0,
    }
  }

  /** Since it was last asked; 100 is one processor. */
  private cpuPercent(): number {
    const { user, system } = process.cpuUsage(this.cpu)
    const now = performance.now()
    const percent = (user + system) / 10 / Math.max(1, now - this.at)
    this.cpu = process.cpuUsage()
    this.at = now
    return percent
  }
}

/** The time of day in seconds, with fractions: as Dask counts it. */
export function epochSeconds(): number {
  return (performance.timeOrigin + performance.now()) / 1000
}
