"""`make experiments`: measure what is missing or stale.

python -m experiments                  all studies
python -m experiments depth points     some of them
python -m experiments --list           what there is, and whether it is stale
python -m experiments --jobs 4         with so many workers
"""

import argparse
import contextlib
import sys
import time

from .engine import SweepError
from .stamp import is_stale, stamp_anew
from .studies import STUDIES
from .study import measure


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and measure.

    Returns:
        Exit status: 0 if all is up to date now.
    """
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("studies", nargs="*", metavar="STUDY", help="default: all")
    parser.add_argument("--jobs", type=int, help="workers; default: one for each core")
    parser.add_argument("--dask", metavar="FILE", help="run on the cluster of this scheduler file")
    parser.add_argument("--list", action="store_true", help="show the studies and stop")
    options = parser.parse_args(arguments)
    if unknown := set(options.studies) - set(STUDIES):
        parser.error(f"no study {sorted(unknown)}; there are {', '.join(STUDIES)}")
    chosen = [STUDIES[name] for name in options.studies or STUDIES]
    if options.list:
        for study in chosen:
            print(f"{'stale' if is_stale(study) else 'stored':7}{study.name:16}{study.question}")
        return 0
    status = 0
    try:
        with cluster(options.dask):
            for study in chosen:
                try:
                    bring_up_to_date(study, options)
                except SweepError as error:  # the other studies go on
                    print(f"{study.name}: {error}", file=sys.stderr, flush=True)
                    status = 1
    except KeyboardInterrupt:
        print("\ninterrupted: what is finished is stored, run the same command to go on")
        return 130
    return status


@contextlib.contextmanager
def cluster(scheduler_file: str | None):
    """Send the runs inside to the Dask cluster of a scheduler file, if there is one."""
    if scheduler_file is None:
        yield
        return
    from distributed import Client
    from joblib import parallel_config

    with Client(scheduler_file=scheduler_file, timeout=120), parallel_config("dask"):
        yield


def bring_up_to_date(study, options) -> None:
    """Measure a study, unless its results are those of the code as it is."""
    if not is_stale(study):
        print(f"{study.name}: up to date")
    elif options.dask or not stamp_anew(study):
        start = time.monotonic()
        measure(study, n_jobs=options.jobs, here=options.dask is None)
        print(f"{study.name}: stored after {(time.monotonic() - start) / 60:.1f} min", flush=True)


if __name__ == "__main__":
    sys.exit(main())
