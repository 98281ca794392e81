"""What starts a worker in Node."""

import json
import os


def default_command():
    """MINTAKA_WORKER_COMMAND, a JSON list; else the worker that was installed with this file; else ``mintaka`` of the PATH."""
    told = os.environ.get("MINTAKA_WORKER_COMMAND")
    if told:
        return json.loads(told)
    dist = os.path.abspath(os.path.join(os.path.dirname(__file__), *[".."] * 5))
    installed = os.path.join(dist, "workers", "dask-worker.js")
    return ["node", installed] if os.path.exists(installed) else ["mintaka", "dask", "worker"]
