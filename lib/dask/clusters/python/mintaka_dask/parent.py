"""Requests of the Node process that started this one, and answers to it: JSON, line by line, on stdin and stdout.

    > {"id": 1, "op": "scale", "workers": 3}
    < {"id": 1, "result": null}
    < {"id": 1, "error": {"type": "TypeError", "message": "...", "traceback": "..."}}
    < {"event": "worker", "message": "0"}
"""

import asyncio
import json
import os
import traceback

from mintaka_dask import tether


class Parent:
    """Made in a running event loop. What others print goes to stderr from then on."""

    def __init__(self):
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self.gone = asyncio.Event()
        self._requests = asyncio.Queue()
        self._rest = b""
        later = asyncio.get_running_loop().call_soon_threadsafe
        tether.listen(lambda chunk: later(self._read, chunk), lambda: later(self._end))

    async def serve(self, operations):
        """Carries requests out, one after the other, until the parent has gone."""
        while request := await self._requests.get():
            number = request.pop("id")
            try:
                self.tell(id=number, result=await operations[request.pop("op")](**request))
            except Exception as error:
                self.tell(id=number, error=_described(error))

    def tell(self, **message):
        try:
            print(json.dumps(message), file=self._out, flush=True)
        except OSError:
            self._end()

    def _read(self, chunk):
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._requests.put_nowait(json.loads(line))

    def _end(self):
        self.gone.set()
        self._requests.put_nowait(None)


def _described(error):
    return {
        "type": type(error).__name__,
        "message": str(error),
        "traceback": "".join(traceback.format_exception(type(error), error, error.__traceback__)),
    }
