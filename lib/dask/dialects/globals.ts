import { PyGlobal } from '../pickle/objects.js'

/** A task of ours that lands on a Python worker calls this with `guard`, which names no module, and fails saying so. */
export const importGuard = new PyGlobal('builtins', '__import__')
/** Calls a function with a tuple of arguments and a dict of keyword arguments. */
export const apply = new PyGlobal('dask.utils', 'apply')
export const loads = new PyGlobal('_pickle', 'loads')
export const dict = new PyGlobal('builtins', 'dict')
