"""A worker in Node for Dask's own cluster classes."""

import asyncio
import collections
import inspect
import os
import shutil
import tempfile

from distributed import Nanny, Worker
from distributed.core import Status
from distributed.deploy.spec import ProcessInterface
from mintaka_dask.command import default_command

# How often a worker that was at work is started again in a row, and what counts as one row.
MAX_RESTARTS = 100
SHORT_SECONDS = 10


class NodeWorker(ProcessInterface):
    """Starts a worker of Mintaka as a process of this machine. It takes the place of ``Worker`` and ``Nanny``:

        LocalCluster(worker_class=NodeWorker)
        SpecCluster(worker={"cls": "mintaka_dask.NodeWorker", "options": {"nthreads": 2}}, ...)
        dask spec tcp://... --spec '{"cls": "mintaka_dask.NodeWorker", "opts": {"nthreads": 2}}'

    Its options are those of ``Worker`` and ``Nanny``, of which it heeds name, nthreads, memory_limit, resources, host,
    local_directory and security; and ``command``, a list: what starts the worker, instead of the one that is installed with
    this file. The process ends with this one. If it dies at work, it is started again.
    """

    def __init__(
        self,
        scheduler,
        name=None,
        nthreads=None,
        memory_limit=None,
        resources=None,
        host=None,
        local_directory=None,
        security=None,
        env=None,
        command=None,
        **others,
    ):
        _check(others)
        if str(scheduler).startswith("inproc"):
            raise ValueError(f"processes cannot reach the scheduler at {scheduler}; leave out processes=False")
        super().__init__(scheduler=scheduler, name=name)
        self.name = name
        self._command = [*(command or default_command()), str(scheduler), "--exit-with-stdin"]
        self._flags = {
            "--name": name,
            "--nthreads": nthreads,
            "--memory-limit": memory_limit,
            "--resources": " ".join(f"{key}={value}" for key, value in (resources or {}).items()) or None,
            "--host": host.split("://")[-1] if host else None,
            "--local-directory": local_directory,
        }
        self._env = {key: str(value) for key, value in (env or {}).items()}
        self._security = security
        self._folder = None
        self._process = None
        self._watching = None
        self._last_words = collections.deque(maxlen=60)

    async def start(self):
        try:
            await self._launch()
        except BaseException:
            self.status = Status.failed
            await self._end()
            raise
        self._watching = asyncio.ensure_future(self._watch())
        await super().start()

    async def close(self, timeout=2, **kwargs):
        """Ends the worker. The cluster has asked the scheduler before to have its data moved."""
        self.status = Status.closing
        if self._watching:
            self._watching.cancel()
        await self._end(timeout)
        await super().close()

    async def _launch(self):
        flags = [word for flag, value in self._flags.items() if value is not None for word in (flag, str(value))]
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            *flags,
            *self._tls_flags(),
            env={**os.environ, **self._env},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        ready = asyncio.get_running_loop().create_future()
        asyncio.ensure_future(self._listen(self._process, ready))
        self.address = await ready

    async def _listen(self, process, ready):
        while chunk := await _line(process.stdout):
            line = chunk.decode(errors="replace").rstrip()
            self._last_words.append(line[:1000])
            if "Start worker at:" in line and not ready.done():
                ready.set_result(line.split("Start worker at:")[1].split()[0])
        code = await process.wait()
        if not ready.done():
            said = "\n".join(self._last_words) or "nothing"
            ready.set_exception(RuntimeError(f"Node worker {self.name} ended with code {code} as it started. It said:\n{said}"))

    async def _watch(self):
        """Starts the process again when it dies; is through when it has left by itself, or dies again and again."""
        loop = asyncio.get_running_loop()
        restarts = 0
        while True:
            begin = loop.time()
            code = await self._process.wait()
            restarts = restarts + 1 if loop.time() - begin < SHORT_SECONDS else 1
            if code == 0 or restarts > MAX_RESTARTS:
                break
            await asyncio.sleep(min(5, 0.05 * 2 ** min(restarts, 10)) if restarts > 1 else 0)
            try:
                await self._launch()
            except Exception:
                break
        self.status = Status.closed
        self._event_finished.set()

    async def _end(self, timeout=2):
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), timeout)
            except asyncio.TimeoutError:
                process.kill()
                await process.wait()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _tls_flags(self):
        if not self._security or not self._security.tls_ca_file:
            return []
        config = self._security.get_tls_config_for_role("worker")
        files = {"--tls-ca-file": config["ca_file"], "--tls-cert": config["cert"], "--tls-key": config["key"]}
        return [word for flag, value in files.items() for word in (flag, self._as_file(flag, value))]

    def _as_file(self, flag, value):
        """Dask takes the text of a certificate where it takes its path."""
        if "\n" not in value:
            return value
        self._folder = self._folder or tempfile.mkdtemp(prefix="mintaka-tls-")
        path = os.path.join(self._folder, f"{flag.strip('-')}.pem")
        with open(path, "w", encoding="utf-8") as file:
            file.write(value)
        return path


async def _line(stream):
    try:
        return await stream.readline()
    except ValueError:  # longer than the stream's limit, which has dropped it
        return b"(a long line)\n"


def _check(options):
    """What stock workers take and a worker in Node has no use for is left; a misspelt option is not."""
    known = {name for cls in (Worker, Nanny) for name in inspect.signature(cls.__init__).parameters}
    for name in options:
        if name not in known:
            raise TypeError(f"NodeWorker got an unexpected option '{name}'")
