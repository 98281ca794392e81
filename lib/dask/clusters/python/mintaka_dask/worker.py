"""Becomes a worker in Node, for what starts workers as ``python -m MODULE SCHEDULER FLAGS``:

    SLURMCluster(worker_command="mintaka_dask.worker", ...)

The flags are those of ``dask worker``.
"""

import os
import sys

from mintaka_dask.command import default_command

if __name__ == "__main__":
    command = [*default_command(), *sys.argv[1:]]
    os.execvp(command[0], command)
