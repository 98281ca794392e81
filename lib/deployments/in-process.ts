import type { Engine } from '../engine/engine.js'
import type { Deployment } from './deployment.js'
import type { Launch, LaunchEnd, Launcher } from './launcher.js'
import type { ScheduledRun } from './record.js'
import { startRun } from './start-run.js'

/** Carries runs out in this process, on `engine`. Nothing can be killed here without the rest; what cannot wait is cancelled. */
export class InProcessLauncher implements Launcher {
  readonly #engine: Engine
  readonly #deployments: ReadonlyMap<string, Deployment>

  constructor(engine: Engine, deployments: readonly Deployment[]) {
    this.#engine = engine
    this.#deployments = new Map(deployments.map(deployment => [deployment.id, deployment]))
  }

  serves(deployment: string): boolean {
    return this.#deployments.has(deployment)
  }

  launch(run: ScheduledRun): Launch {
    const deployment = this.#deployments.get(run.deployment)
    try {
      const life = startRun(this.#engine, deployment?.flow, run, deployment?.limits)
      const ended = new Promise<LaunchEnd>(resolve => life.whenOver(() => resolve({ type: 'ran' })))
      return { ended, stop: () => life.cancel('its service stops') }
    } catch (error) {
      return { ended: Promise.resolve({ type: 'failed', error }), stop() {} }
    }
  }
}
