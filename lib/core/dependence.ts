/**
 * The local variables that the function of a task depends on, besides those that its `captures` name. What stands at the
 * top level of its file is not meant.
 */
export interface Dependence {
  /** Parameters of the functions around it, variables of loops, `this`: whenever it is made they may be others. */
  readonly given: readonly string[]
  /** Parameters of the flows around it: they are the same for all that a flow run does, and for whoever continues it. */
  readonly parameters: readonly string[]
  /** All others. */
  readonly locals: readonly string[]
}
