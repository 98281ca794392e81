import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml'
import { asError } from '../../core/errors.js'
import { didYouMean } from '../../core/nearest.js'
import { Failure } from '../print.js'

/** A deployment as a YAML file describes it. Nothing of it has been looked up. */
export interface DeploymentSpec {
  readonly name: string
  /** The file of its flow, seen from the YAML file, and after a colon perhaps which of its flows. */
  readonly flow: string
  /** What else it says. The values are not checked. */
  readonly options: Readonly<Record<string, unknown>>
  /** Where one of its keys stands, such as `deployments.yaml:3`; where it begins, if that is not known. */
  placeOf(key?: string): string
}

/** One deployment of a YAML file. */
export interface SpecEntry {
  /** For sentences about it: its name, else where it stands. */
  readonly label: string
  /** Throws a Failure that names line and key of what is wrong. */
  read(): DeploymentSpec
}

/**
 * The deployments of a YAML file: a mapping each, alone or in a list, in one document or several. Throws a Failure with
 * line and column if it is not YAML.
 */
export function specEntries(path: string, text: string): SpecEntry[] {
  const lines = new LineCounter()
  const unmarked = text.replace(/^\uFEFF/, '') // editors on Windows begin a file so
  const documents = parseAllDocuments(unmarked, { lineCounter: lines, merge: true })
  return [...documents].flatMap(document => {
    const [error] = [...document.errors, ...document.warnings]
    if (error) throw notYaml(path, error)
    const whole = new Spot({ path, lines, document }, document.contents)
    return whole.items().map(item => ({ label: item.get('name').text() ?? item.place, read: () => specOf(item) }))
  })
}

interface Source {
  readonly path: string
  readonly lines: LineCounter
  readonly document: Document.Parsed
}

/** Something in a YAML file: what it is, and where. */
class Spot {
  readonly #source: Source
  readonly #node: unknown
  /** What is named when something is wrong with it: of a value its key. */
  readonly #named: unknown

  constructor(source: Source, node: unknown, named = node) {
    this.#source = source
    this.#node = isAlias(node) ? node.resolve(source.document) : node
    this.#named = named
  }

  get place(): string {
    const { path, lines } = this.#source
    const at = isNode(this.#named) ? this.#named.range?.[0] : undefined
    return at === undefined ? path : `${path}:${lines.linePos(at).line}`
  }

  /** A list has its items, nothing has none, all else is one by itself. */
  items(): Spot[] {
    if (isSeq(this.#node)) return this.#node.items.map(item => new Spot(this.#source, item))
    return this.value() === null ? [] : [this]
  }

  /** What stands at a key; what it has got from elsewhere stands where the mapping does. */
  get(key: string): Spot {
    const pairs = isMap(this.#node) ? this.#node.items : []
    const pair = pairs.find(({ key: each }) => isScalar(each) && String(each.value) === key)
    return new Spot(this.#source, pair?.value, pair?.key ?? this.#named)
  }

  text(): string | undefined {
    return isScalar(this.#node) && typeof this.#node.value === 'string' ? this.#node.value : undefined
  }

  /** As plain data. Throws a Failure if it refers to what is not there. */
  value(): unknown {
    try {
      return isNode(this.#node) ? this.#node.toJS(this.#source.document) : null
    } catch (error) {
      throw new Failure(`${this.place}: ${asError(error).message}.${quotesHint}`)
    }
  }
}

/** What a deployment may say, and what may stand inside of that. */
const keys: Readonly<Record<string, readonly string[] | undefined>> = {
  name: undefined,
  flow: undefined,
  parameters: undefined,
  schedule: ['intervalMs', 'anchor', 'cron', 'dayOr', 'rrule', 'timezone'],
  tags: undefined,
  paused: undefined,
  overlap: undefined,
  catchUp: undefined,
  description: undefined,
  limits: ['timeoutMs', 'memoryBytes'],
}

function specOf(item: Spot): DeploymentSpec {
  const value = item.value()
  if (!isMapping(value))
    throw new Failure(`${item.place}: a deployment is a mapping with a name and a flow, not ${shown(value)}.`)
  refuseUnknown(item, value, 'A deployment', Object.keys(keys))
  for (const [key, inner] of Object.entries(keys)) {
    const within = value[key]
    if (inner && isMapping(within)) refuseUnknown(item.get(key), within, `Its ${key}`, inner)
  }
  const given = Object.entries(value).filter(([key, each]) => each !== null && key !== 'name' && key !== 'flow')
  return {
    name: textAt(item, 'name', value, 'name: daily'),
    flow: textAt(item, 'flow', value, 'flow: report.ts:monthly'),
    options: Object.fromEntries(given),
    placeOf: key => (key === undefined ? item : spotOf(item, key)).place,
  }
}

/** Where a key stands: in the mapping itself, or in one that stands in it. */
function spotOf(item: Spot, key: string): Spot {
  const outer = Object.entries(keys).find(([, inner]) => inner?.includes(key))
  return outer ? item.get(outer[0]).get(key) : item.get(key)
}

function refuseUnknown(spot: Spot, value: object, whose: string, known: readonly string[]): void {
  const unknown = Object.keys(value).find(key => !known.includes(key))
  if (unknown === undefined) return
  const fix = didYouMean(unknown, known) || ` There are ${known.join(', ')}.`
  throw new Failure(`${spot.get(unknown).place}: ${whose} has no '${unknown}'.${fix}`)
}

function textAt(item: Spot, key: string, { [key]: value }: Record<string, unknown>, example: string): string {
  if (typeof value === 'string' && value !== '') return value
  const what =
    value === undefined || value === null ? `has no '${key}'` : `has the ${key} ${shown(value)}, which is no text`
  throw new Failure(`${item.get(key).place}: the deployment ${what}. Write it as \`${example}\`.`)
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shown(value: unknown): string {
  return JSON.stringify(value) ?? String(value)
}

/** The sentence about it, the place in front, and the line with a mark under the column. */
function notYaml(path: string, { message, linePos }: Document.Parsed['errors' | 'warnings'][number]): Failure {
  const [start] = linePos ?? []
  const place = start ? `${path}:${start.line}:${start.col}` : path
  const [sentence = '', ...frame] = message
    .replace(/ at line \d+, column \d+:/, '.')
    .trimEnd()
    .split('\n')
  return new Failure([`${place}: ${sentence}${/alias/i.test(sentence) ? quotesHint : ''}`, ...frame].join('\n'))
}

const quotesHint = " A text that begins with * has to stand in quotes: cron: '*/5 * * * *'."
