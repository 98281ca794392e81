/** The name under which the function in `new ParallelExecutor({ setup: () => … })` is found. */
export const setupName = 'setup of ParallelExecutor'
