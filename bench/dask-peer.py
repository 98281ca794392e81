"""The peer of bench/dask.ts: Dask's own client on the cluster at argv[1]. Answers each line of stdin with milliseconds.

`many N`: N tiny tasks at once, until all results are here. `chain N`: each needs the one before. `one N`: one after the
other, median. `large BYTES`: a result of that size is made on one worker and used on another.
"""

import sys
from statistics import median
from time import perf_counter

from distributed import Client


def increment(n):
    return n + 1


def make(size):
    return bytes(size)


def length(value):
    return len(value)


def many(client, count):
    futures = client.map(increment, range(count), pure=False)
    client.gather(futures)


def chain(client, count):
    last = client.submit(increment, 0, pure=False)
    for _ in range(count - 1):
        last = client.submit(increment, last, pure=False)
    last.result()


def large(client, size):
    one, other = list(client.scheduler_info()["workers"])[:2]
    made = client.submit(make, size, pure=False, workers=[one])
    client.submit(length, made, pure=False, workers=[other]).result()


def timed(work, *args):
    begin = perf_counter()
    work(*args)
    return (perf_counter() - begin) * 1000


def answer(client, what, amount):
    if what == "one":
        return median(timed(lambda: client.submit(increment, 1, pure=False).result()) for _ in range(amount))
    return timed({"many": many, "chain": chain, "large": large}[what], client, amount)


def main():
    with Client(sys.argv[1], set_as_default=False) as client:
        print("ready", flush=True)
        for line in sys.stdin:
            what, amount = line.split()
            print(answer(client, what, int(amount)), flush=True)


main()
