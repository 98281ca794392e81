import type { DeploymentRecord, ScheduledRun } from './record.js'

/** Carries scheduled runs out: in a child process, or in this one. */
export interface Launcher {
  /** Whether it can run that deployment. */
  serves(deployment: string): boolean
  /** Begins one. Throws nothing: what goes wrong is how it ends. */
  launch(run: ScheduledRun, deployment: DeploymentRecord): Launch
}

/** A run that a launcher carries out. */
export interface Launch {
  /** Resolves when nothing of it goes on any more. */
  readonly ended: Promise<LaunchEnd>
  /** `cancel`: asks the flow run to end. `kill`: ends at once whatever carries it out, where that is possible. */
  stop(how: 'cancel' | 'kill'): void
}

/**
 * How a launch ended. `ran`: the flow run is in the store, with its end. Otherwise there may be none, and then this is its
 * end: it could not begin (`failed`), or what was to carry it out was lost (`crashed`).
 */
export type LaunchEnd = { readonly type: 'ran' } | { readonly type: 'failed' | 'crashed'; readonly error: unknown }
