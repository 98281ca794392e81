"""A process on a tether ends when its standard input does. Who holds the other end cannot leave it behind, even by dying.

    python -m mintaka_dask.tether distributed.cli.dask_worker tcp://127.0.0.1:8786

runs a module so, as ``python -m`` does.
"""

import os
import runpy
import signal
import sys
import threading
import time


def listen(on_bytes, on_end):
    """Reads standard input in a thread of its own: with bytes as they come, then once with nothing."""

    def read():
        # Not through sys.stdin: its lock, held by a thread that waits, is fatal to an interpreter that ends.
        while chunk := _read():
            on_bytes(chunk)
        on_end()

    threading.Thread(target=read, name="tether", daemon=True).start()


def _read():
    try:
        return os.read(0, 65536)
    except OSError:
        return b""


def end_within(seconds):
    """Whatever still runs in this process then, it ends. Returns at once."""

    def end():
        time.sleep(seconds)
        os._exit(1)

    threading.Thread(target=end, name="last resort", daemon=True).start()


def _stop():
    end_within(1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    listen(lambda chunk: None, _stop)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
