"""Holds a cluster object of any Dask cluster class for a Node process.

    python -m mintaka_dask.cluster

Requests: ``start`` {cluster, options, adapt}, ``scale`` {workers}, ``adapt`` {minimum, maximum}. See ``parent.py``.
The cluster is closed when the parent has gone.
"""

import asyncio
import importlib
import inspect
import os
import sys

from distributed import Nanny, Scheduler, Worker
from distributed.core import Status
from distributed.deploy.spec import SpecCluster
from distributed.utils import import_term
from mintaka_dask import tether
from mintaka_dask.node_worker import NodeWorker
from mintaka_dask.parent import Parent

# A cloud takes its time to give machines back, and one that is half started could not be given back at all. What is on
# this machine must not be left by a close that hangs.
CLOSE_SECONDS = 600
LOCAL_CLOSE_SECONDS = 3
START_SECONDS = 120


class Held:
    """The cluster that is held, from the first moment there is something to close."""

    def __init__(self):
        self.cluster = None

    async def start(self, cluster, options, adapt=None):
        made = _class_of(cluster)(asynchronous=True, **options)
        self.cluster = made
        _use_node_workers(made)
        if inspect.isawaitable(made):
            self.cluster = await made
        _check(self.cluster, cluster)
        if adapt:
            await self.adapt(**adapt)
        return {
            "schedulerAddress": self.cluster.scheduler_address,
            "dashboardLink": _dashboard_of(self.cluster),
            "tls": _credentials_of(self.cluster),
            "isLocal": _is_local(self.cluster),
        }

    async def scale(self, workers):
        await _awaited(self.cluster.scale(workers))
        if isinstance(self.cluster, SpecCluster):
            await self.cluster

    async def adapt(self, minimum, maximum):
        await _awaited(self.cluster.adapt(minimum=minimum, maximum=maximum))

    async def ended(self):
        """Returns when the cluster has closed or failed by itself."""
        while getattr(self.cluster, "status", None) not in (Status.closed, Status.failed, "closed", "failed"):
            await asyncio.sleep(0.5)

    async def close(self):
        if hasattr(self.cluster, "close"):
            await _awaited(self.cluster.close())

    @property
    def close_seconds(self):
        return LOCAL_CLOSE_SECONDS if self.cluster is None or _is_local(self.cluster) else CLOSE_SECONDS


async def main():
    parent = Parent()
    held = Held()
    serving = asyncio.ensure_future(parent.serve({"start": held.start, "scale": held.scale, "adapt": held.adapt}))
    ending = asyncio.ensure_future(held.ended())
    gone = asyncio.ensure_future(parent.gone.wait())
    await asyncio.wait([gone, ending], return_when=asyncio.FIRST_COMPLETED)
    if not gone.done():
        parent.tell(event="ended", message=f"its status is {held.cluster.status}")
        await gone
    tether.end_within(held.close_seconds)
    await asyncio.wait([serving], timeout=START_SECONDS)
    serving.cancel()
    await held.close()
    os._exit(0)


def _class_of(name):
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except AttributeError:
        raise ImportError(f"module '{module}' has no '{attribute}'") from None


def _use_node_workers(cluster):
    """Where a class would start workers of Dask in or beside this process, it starts workers in Node.

    Others are started on other machines, by jobs or pods: what runs there is for the options of the class to say.
    """
    if not isinstance(cluster, SpecCluster):
        return
    cluster.worker_spec = {name: _in_node(spec) for name, spec in cluster.worker_spec.items()}
    cluster.new_spec = _in_node(cluster.new_spec)


def _in_node(spec):
    cls = spec and spec.get("cls")
    if isinstance(cls, str):
        cls = import_term(cls)
    if not inspect.isclass(cls) or not issubclass(cls, (Worker, Nanny)):
        return spec
    return {**spec, "cls": NodeWorker}


def _check(cluster, name):
    address = getattr(cluster, "scheduler_address", None)
    if not address:
        raise TypeError(f"{name} is not a Dask cluster class: what it makes has no scheduler_address")
    if not str(address).startswith(("tcp://", "tls://")):
        raise ValueError(f"processes cannot reach the scheduler at {address}; leave out processes=False")


def _dashboard_of(cluster):
    """A scheduler in this process always has a link; without bokeh there is nothing worth looking at behind it."""
    if _is_local(cluster) and "distributed.dashboard.scheduler" not in sys.modules:
        return None
    return getattr(cluster, "dashboard_link", None) or None


def _is_local(cluster):
    """Whether its scheduler is, or will be, in this process."""
    cls = (getattr(cluster, "scheduler_spec", None) or {}).get("cls")
    return inspect.isclass(cls) and issubclass(cls, Scheduler)


def _credentials_of(cluster):
    security = getattr(cluster, "security", None)
    if not security or not getattr(security, "tls_ca_file", None):
        return None
    config = security.get_tls_config_for_role("client")
    texts = {"ca": config["ca_file"], "cert": config["cert"], "key": config["key"]}
    return {name: _text_of(value) for name, value in texts.items() if value}


def _text_of(value):
    if "\n" in value:
        return value
    with open(value, encoding="utf-8") as file:
        return file.read()


async def _awaited(value):
    return await value if inspect.isawaitable(value) else value


if __name__ == "__main__":
    asyncio.run(main())
