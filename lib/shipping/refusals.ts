import { type ErrorCode, MintakaError } from '../core/errors.js'
import { isGlobal } from './globals.js'
import { isCaptured, type Reach } from './reach.js'
import { firstFlowRun, flowCallIn } from './set-ups.js'
import { type Binding, type Reference, referencesIn } from './source.js'
import { isFunction, isWithin, type Node, nodesOf, runsAtLoad } from './syntax.js'
import { changesIn, touchOf } from './touch.js'

/** Why a worker could not run a task as it runs here. An empty list: it can. */
export function refusalsOf(reach: Reach): MintakaError[] {
  return [
    refusal(reach, 'CAPTURES_THIS', thisSentences(reach)),
    refusal(reach, 'CAPTURES_LOCAL', localSentences(reach)),
    refusal(reach, 'UNKNOWN_GLOBAL', globalSentences(reach)),
    refusal(reach, 'STALE_VARIABLE', [...staleSentences(reach), ...lateSentences(reach), ...flowSentences(reach)]),
  ].flatMap(error => error ?? [])
}

function refusal({ name, source, task }: Reach, code: ErrorCode, sentences: readonly string[]) {
  if (sentences.length === 0) return undefined
  return new MintakaError(code, sentences.join('\n'), { task: name, file: source.file, line: task.line })
}

function task({ name, source, task }: Reach): string {
  return `Task '${name}' (${source.label}:${task.line})`
}

function thisSentences(reach: Reach): string[] {
  const found = firstThis(reach.root)
  if (!found) return []
  const word = found.type === 'Super' ? 'super' : found.type === 'MetaProperty' ? 'new.target' : 'this'
  const place = `${reach.source.label}:${reach.source.lines.lineOf(found.start)}`
  return [`Task '${reach.name}' uses ${word} of the function around it (${place}), which a worker does not have.`]
}

/** The first `this`, `super` or `new.target` in `root` that belongs to a function around it. */
export function firstThis(root: Node): Node | undefined {
  for (const node of nodesOf(root)) {
    if (node.type !== 'ThisExpression' && node.type !== 'Super' && !isNewTarget(node)) continue
    if (!hasOwnThis(node, root)) return node
  }
  return undefined
}

function isNewTarget(node: Node): boolean {
  return node.type === 'MetaProperty' && node.meta.name === 'new'
}

function hasOwnThis(node: Node, root: Node): boolean {
  for (let child = node, { parent } = node; parent && child !== root; child = parent, { parent } = parent) {
    if (parent.type === 'StaticBlock') return true
    if ((parent.type === 'PropertyDefinition' || parent.type === 'AccessorProperty') && parent.value === child)
      return true
    if (isFunction(child) && child.type !== 'ArrowFunctionExpression') return true
  }
  return isFunction(root) && root.type !== 'ArrowFunctionExpression'
}

function localSentences(reach: Reach): string[] {
  const { source, root, captureKeys, name } = reach
  const captured = new Map<Binding, string>()
  for (const reference of referencesIn(source, root)) {
    const { binding } = reference
    if (binding?.kind !== 'local' || isWithin(binding.scope, root)) continue
    if (!isCaptured(reference, root, captureKeys)) captured.set(binding, placeOf(binding))
  }
  return [...captured].map(
    ([{ name: variable, declaredAt }, place]) =>
      `${task(reach)} uses the local variable '${variable}' (declared at line ${source.lines.lineOf(declaredAt)} ` +
      `inside a ${place}). A worker has no access to it. Pass it as an argument, move it to the top level of the ` +
      `module, or list it: task('${name}', fn, { captures: { ${variable} } }).`,
  )
}

function placeOf({ declaration }: Binding): string {
  for (let node = declaration?.parent; node; node = node.parent ?? undefined) if (isFunction(node)) return 'function'
  return declaration && !isFunction(declaration) ? 'block' : 'function'
}

function globalSentences(reach: Reach): string[] {
  const { references } = reach
  const unknown = references.filter(({ name, binding }) => !binding && !isGlobal(name))
  // code that asks whether a name exists knows what to do if it does not
  const asked = new Set(unknown.filter(isTypeofOperand).map(({ name }) => name))
  const names = new Set(unknown.map(({ name }) => name).filter(name => !asked.has(name)))
  return [...names].map(name => `${task(reach)} uses '${name}', which does not exist in a worker.`)
}

function isTypeofOperand({ node: { parent } }: Reference): boolean {
  return parent?.type === 'UnaryExpression' && parent.operator === 'typeof'
}

function staleSentences(reach: Reach): string[] {
  const { source, bindings, carries } = reach
  const stale = new Map<string, string>()
  for (const reference of changesIn(source)) {
    const { binding, start, name } = reference
    if (!binding || !bindings.has(binding) || !isWritten(reference) || carries(reference)) continue
    if (isInAnotherTask(reference, reach) && reach.references.some(own => own.binding === binding && isLasting(own)))
      continue
    const variable = binding.kind === 'export' ? binding.name : name
    if (!stale.has(variable)) stale.set(variable, `${touchOf(reference)} at line ${source.lines.lineOf(start)}`)
  }
  return [...stale].map(
    ([variable, how]) =>
      `${task(reach)} uses the module variable '${variable}', which is ${how}, outside what a worker runs; ` +
      'the worker would see its initial value. Pass it as an argument.',
  )
}

function isWritten(reference: Reference): boolean {
  const { binding, isInitial } = reference
  if (isInitial || (binding?.kind !== 'module' && binding?.kind !== 'export')) return false
  const touch = touchOf(reference)
  return touch === 'assigned' || touch === 'changed'
}

/** `level = 2` below `await report()`: here that run saw the value from before, a worker has the line from its start. */
function lateSentences(reach: Reach): string[] {
  const { source, bindings, carries } = reach
  const changes = changesIn(source).filter(
    reference =>
      isWritten(reference) && bindings.has(reference.binding!) && carries(reference) && runsAtLoad(reference.node),
  )
  const run = changes.length > 0 ? firstFlowRun(source) : undefined
  if (!run) return []
  const runLine = source.lines.lineOf(run.start)
  return changes.flatMap(reference => {
    if (reference.start < run.end) return []
    const line = source.lines.lineOf(reference.start)
    return (
      `${task(reach)} uses the module variable '${reference.name}', which is ${touchOf(reference)} at line ${line}, ` +
      `after line ${runLine} runs a flow; the worker would see that value from its start. Pass it as an argument.`
    )
  })
}

function isLasting(reference: Reference): boolean {
  return isWritten(reference) && !runsAtLoad(reference.node)
}

/** Tasks that all fill one cache (`memo ??= …`) each do so on their own worker: that is what a cache is for. */
function isInAnotherTask({ start }: Reference, { source }: Reach): boolean {
  return source.definitions.some(({ kind, fn }) => kind === 'task' && fn && start >= fn.start && start < fn.end)
}

/** `const rows = await load()`, where `load` is a flow: a worker cannot make that value. */
function flowSentences(reach: Reach): string[] {
  const { source, units } = reach
  return [...units].flatMap(unit => {
    const call = flowCallIn(source, unit)
    if (!call) return []
    const place = `${source.label}:${source.lines.lineOf(unit.start)}`
    return `${task(reach)} uses what flow '${call.name}' gives at ${place}; workers run no flows. Pass it as an argument.`
  })
}
