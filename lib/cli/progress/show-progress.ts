import type { Engine } from '../../engine/engine.js'
import { formatLine } from '../../engine/logger.js'
import { colorsOf } from '../print.js'
import { Board } from './board.js'
import { layOut } from './layout.js'
import { LiveDisplay } from './live-display.js'
import { tellEvents } from './tell-events.js'

/** What is shown until `end` is called; then its last version stays. */
export interface Display {
  end(): void
}

/** Shows on the terminal what an engine in this process does: a tree of its flow runs, their subflows and their tasks. */
export function showProgress(engine: Engine): Display {
  const board = new Board()
  const display = showBoard(board)
  const tell = tellEvents(board)
  const stop = engine.listen(event => {
    tell(event)
    // What a user logs is shown even where the lines of the engine's own are not.
    if (event.type !== 'log' || event.printed || event.entry.level !== 'info' || engine.logger.enabled('info')) return
    const { message, fields, timestamp } = event.entry
    process.stderr.write(`${formatLine('info', message, fields, timestamp)}\n`)
  })
  return {
    end() {
      stop()
      display.end()
    },
  }
}

/** Shows on the terminal what a board is told, by whomever. Only where `isLive(process.stderr)`. */
export function showBoard(board: Board): Display {
  const palette = colorsOf(process.stderr)
  return new LiveDisplay(size => layOut(board, size, Date.now(), palette))
}
