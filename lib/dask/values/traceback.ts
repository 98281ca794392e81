import { PyGlobal, PyObject } from '../pickle/objects.js'

/** More frames than Python has at once. */
const maxFrames = 1_000

/** The lines of a traceback as `loads` gave it, the outermost call first; undefined if it is none. */
export function tracebackLines(traceback: unknown): string | undefined {
  if (typeof traceback === 'string') return traceback.trimEnd() || undefined
  const lines: string[] = []
  for (let link = linkOf(traceback); link && lines.length < maxFrames; link = linkOf(link.next)) {
    lines.push(`  File "${link.file}", line ${link.line}, in ${link.name}`)
  }
  return lines.length === 0 ? undefined : lines.join('\n')
}

interface Link {
  readonly file: string
  readonly line: string
  readonly name: string
  readonly next: unknown
}

// The first frame is the argument of the function that makes a traceback, those after it are described by their fields.
function linkOf(traceback: unknown): Link | undefined {
  if (!(traceback instanceof PyObject)) return undefined
  const { cls, args } = traceback
  const isCall = cls instanceof PyGlobal && cls.type === 'tblib.pickling_support.unpickle_traceback'
  const frame: unknown = isCall ? args[0] : fieldOf(traceback, 'tb_frame')
  const line: unknown = isCall ? args[1] : fieldOf(traceback, 'tb_lineno')
  const next: unknown = isCall ? args[2] : fieldOf(traceback, 'tb_next')
  const code = fieldOf(frame, 'f_code')
  const file = fieldOf(code, 'co_filename')
  const name = fieldOf(code, 'co_name')
  if (typeof file !== 'string' || typeof name !== 'string') return undefined
  return { file, name, line: String(line), next }
}

function fieldOf(object: unknown, name: string): unknown {
  return object instanceof PyObject && object.state instanceof Map ? object.state.get(name) : undefined
}
