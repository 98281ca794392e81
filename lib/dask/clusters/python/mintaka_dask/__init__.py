"""What Mintaka runs in Python: Dask's own scheduler and cluster classes, on a tether, and workers in Node for them.

``mintaka_dask.NodeWorker`` is a worker class for whatever in Dask takes one by name. The folder of this package has to be on
PYTHONPATH then.
"""

__all__ = ["NodeWorker"]


def __getattr__(name):
    if name == "NodeWorker":
        from mintaka_dask.node_worker import NodeWorker

        return NodeWorker
    raise AttributeError(name)
