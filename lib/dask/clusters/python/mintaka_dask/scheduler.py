"""The scheduler of a cluster on this machine: Dask's own, on a tether.

    python -m mintaka_dask.scheduler FOLDER NAME (with|without)

listens on a free port of 127.0.0.1 and writes its address to that file, whole from the first moment, as the option
``--scheduler-file`` of workers wants it. The folder is removed at its end. The last word is about the dashboard.
"""

import asyncio
import json
import os
import shutil
import sys

from distributed import Scheduler
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.utils import format_dashboard_link
from mintaka_dask import tether
from mintaka_dask.parent import Parent


async def main(folder, name, dashboard):
    parent = Parent()
    scheduler = Scheduler(host="127.0.0.1", port=0, **_dashboard(dashboard == "with"))
    scheduler.add_plugin(Arrivals(parent))
    await scheduler
    _write_whole(os.path.join(folder, name), json.dumps({"type": "Scheduler", "id": scheduler.id, "address": scheduler.address}))

    async def ready():
        return {"address": scheduler.address, "dashboardLink": _link(scheduler)}

    async def retire(names):
        """Workers leave; what they hold goes to those that stay."""
        await scheduler.retire_workers(names=names, close_workers=True, remove=True)

    serving = asyncio.ensure_future(parent.serve({"ready": ready, "retire": retire}))
    await asyncio.wait([serving, asyncio.ensure_future(scheduler.finished())], return_when=asyncio.FIRST_COMPLETED)
    tether.end_within(1)
    await scheduler.close()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)  # there is nothing more to do, and an interpreter takes its time to find out


class Arrivals(SchedulerPlugin):
    """Tells the parent of each worker that has come, by its name."""

    name = "mintaka-arrivals"

    def __init__(self, parent):
        self.parent = parent

    def add_worker(self, scheduler, worker, **kwargs):
        self.parent.tell(event="worker", message=str(scheduler.workers[worker].name))


# Whatever is told, a scheduler has a small server of pages; the ones worth looking at need bokeh.
def _dashboard(is_wanted):
    if is_wanted and _has_bokeh():
        return {"dashboard": True, "dashboard_address": "127.0.0.1:8787"}
    return {"dashboard": False, "dashboard_address": "127.0.0.1:0"}


def _has_bokeh():
    try:
        import distributed.dashboard.scheduler  # noqa: F401
    except ImportError:
        return False
    return True


def _link(scheduler):
    if "distributed.dashboard.scheduler" not in sys.modules:
        return None
    return format_dashboard_link("127.0.0.1", scheduler.services["dashboard"].port)


def _write_whole(file, text):
    with open(f"{file}.part", "w", encoding="utf-8") as part:
        part.write(text)
    os.replace(f"{file}.part", file)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
