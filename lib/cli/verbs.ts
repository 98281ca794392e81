import type { Command } from 'commander'

/** What a file of a verb exports: it gives the command its arguments, options, help and action. */
export interface Verb {
  define(command: Command): void
}

export interface VerbEntry {
  readonly summary: string
  readonly load: () => Promise<Verb>
  /** It does something, and does it also where nobody reads any more what it prints; the others only tell. */
  readonly acts?: true
}

/** Every verb, with how to get it. Its file is loaded when the verb is used. */
export const verbs: Readonly<Record<string, VerbEntry>> = {
  run: { summary: 'run a flow of a file', load: () => import('./run.js'), acts: true },
  'flow-run ls': { summary: 'list flow runs, newest first', load: () => import('./flow-run-ls.js') },
  'flow-run inspect': { summary: 'tell all about one flow run', load: () => import('./flow-run-inspect.js') },
  'flow-run resume': {
    summary: 'continue a flow run that failed, crashed or was cancelled',
    load: () => import('./flow-run-resume.js'),
    acts: true,
  },
  'flow-run retry': {
    summary: 'try a flow run again that failed',
    load: () => import('./flow-run-retry.js'),
    acts: true,
  },
  'flow-run logs': { summary: 'print what a flow run has logged', load: () => import('./flow-run-logs.js') },
  'flow-run watch': {
    summary: 'look on while a flow run of whatever process goes on',
    load: () => import('./flow-run-watch.js'),
  },
  'flow-run cancel': {
    summary: 'end flow runs that go on, of whatever process',
    load: () => import('./flow-run-cancel.js'),
    acts: true,
  },
  'flow-run delete': {
    summary: 'remove flow runs that have ended',
    load: () => import('./flow-run-delete.js'),
    acts: true,
  },
  'deployment create': {
    summary: 'enter the deployments of a file in the store',
    load: () => import('./deployment-create.js'),
    acts: true,
  },
  'deployment ls': { summary: 'list deployments', load: () => import('./deployment-ls.js') },
  'deployment inspect': {
    summary: 'tell all about one deployment',
    load: () => import('./deployment-inspect.js'),
  },
  'deployment preview': {
    summary: 'tell when a deployment runs next',
    load: () => import('./deployment-preview.js'),
  },
  'deployment run': {
    summary: 'schedule a run of a deployment, for an agent to begin',
    load: () => import('./deployment-run.js'),
    acts: true,
  },
  'deployment execute': {
    summary: 'run a deployment here and now',
    load: () => import('./deployment-execute.js'),
    acts: true,
  },
  'deployment pause': {
    summary: 'let the schedule of a deployment rest',
    load: () => import('./deployment-pause.js'),
    acts: true,
  },
  'deployment resume': {
    summary: 'let the schedule of a deployment go on',
    load: () => import('./deployment-resume.js'),
    acts: true,
  },
  'deployment delete': { summary: 'remove a deployment', load: () => import('./deployment-delete.js'), acts: true },
  'agent start': {
    summary: 'run deployments when they are due',
    load: () => import('./agent-start.js'),
    acts: true,
  },
  'store info': { summary: 'tell what is in the store, and who writes there', load: () => import('./store-info.js') },
  'store verify': {
    summary: 'read all of the store, and list what is damaged',
    load: () => import('./store-verify.js'),
  },
  'store rebuild': { summary: 'make catalogue and index anew', load: () => import('./store-rebuild.js'), acts: true },
  'store recover': {
    summary: 'end the runs of processes that have died',
    load: () => import('./store-recover.js'),
    acts: true,
  },
  'store prune': { summary: 'remove old flow runs', load: () => import('./store-prune.js'), acts: true },
  check: { summary: "tell whether a file's tasks can be sent to workers", load: () => import('./check.js') },
  'dask worker': {
    summary: 'join a Dask cluster as a worker of Node',
    load: () => import('./dask-worker.js'),
    acts: true,
  },
  completion: { summary: 'print what completes words in bash, zsh or fish', load: () => import('./completion.js') },
  version: { summary: 'print the versions of mintaka and Node', load: () => import('./version.js') },
}

/** What stands before a verb of two words. */
export const groups: Readonly<Record<string, string>> = {
  'flow-run': 'look at flow runs in the store, and what to do with them',
  deployment: 'run flows on schedule, or when they are asked to',
  agent: 'run deployments when they are due',
  store: 'look after the store',
  dask: 'take part in Dask clusters',
}
