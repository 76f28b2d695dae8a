"""`make bench`: every section in one run, one table at the end."""

import sys

from tests.bench.harness import Bench

SECTIONS = ("listing", "scan", "jsonl", "ingest", "serving")


def main():
    wanted = sys.argv[1:] or SECTIONS
    unknown = [name for name in wanted if name not in SECTIONS]
    if unknown:
        sys.exit(f"no such section: {', '.join(unknown)}; there are: {', '.join(SECTIONS)}")
    bench = Bench(whole=set(wanted) == set(SECTIONS))
    try:
        for name in SECTIONS:
            if name in wanted:
                bench.section(name)
    finally:
        bench.stop()
    sys.exit(min(bench.finish(), 99))


main()
