import type { EngineEvent } from '../../core/event.js'
import type { ProgressFacts } from './facts.js'

/** Tells a display what an engine announces. */
export function tellEvents(facts: ProgressFacts): (event: EngineEvent) => void {
  return event => {
    switch (event.type) {
      case 'flow-run-created':
        return facts.flowRun(event.run)
      case 'task-run-created':
        return facts.taskRun(event.run, undefined, event.run.state, event.at)
      case 'state-changed':
        if (event.run.kind === 'flow-run') return facts.flowRun(event.run)
        return facts.taskRun(event.run, event.from, event.to, event.at)
      case 'progress':
        return facts.taskProgress(event.run, event.fraction, event.note)
    }
  }
}
