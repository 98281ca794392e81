"""What Mintaka runs in Python: Dask's own scheduler and cluster classes, on a tether, and workers in Node for them.

``mintaka_dask.NodeWorker`` is a worker class for whatever in Dask takes one by name. Its folder has to be on PYTHONPATH.
"""
