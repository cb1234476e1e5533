"""Areas of a region mapped side by side, each an item of its own that fails, or goes on, by itself."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lulc_kit import environment, files, run, study
from lulc_kit.errors import LulcError, ParameterError
from lulc_kit.run import Planned

if TYPE_CHECKING:
    import distributed

Say = Callable[[str], None]


@dataclass(frozen=True)
class Item:
    """An area and its steps."""

    area: str
    steps: Sequence[Planned]

    @property
    def study(self) -> study.Study:
        """The study that the area is."""
        return study.Study(self.steps[0].parameters)


@dataclass(frozen=True)
class Outcome:
    """What became of an area.

    Attributes
    ----------
    area
        Its name.
    error
        Why it has no map; None if it has one.
    seconds, memory_mb
        What its steps took together, and the most memory that one of them took, as they recorded it, in this run or
        an earlier one.
    stored_mb
        Size of all its files.
    """

    area: str
    error: str | None
    seconds: float
    memory_mb: float
    stored_mb: float


def run_all(
    items: Sequence[Item],
    *,
    scheduler: str | None = None,
    workers: int | None = None,
    force: bool = False,
    say: Say = print,
) -> list[Outcome]:
    """Run all items, as many at once as there are workers; steps that are up to date are skipped.

    An item that fails does not stop the others. One whose worker dies is begun again by another, and goes on where it
    stopped; the third time it counts as failed.

    Parameters
    ----------
    items
        The areas.
    scheduler
        Address of a dask scheduler whose workers take them; see `lulc_kit.run.cluster`.
    workers
        Number of worker processes of a cluster that is started here, and ended afterwards. With neither, the items run
        one after the other.
    force
        Run steps even if they are up to date.
    say
        Told what happens, a line for each item.

    Returns
    -------
    list of Outcome
        In the order of the items.
    """
    if scheduler is not None and workers is not None:
        raise ParameterError("--scheduler and --workers exclude each other: use a cluster there is, or start one here.")
    found: dict[str, Outcome] = {}
    with ExitStack() as stack:
        each = _one_by_one if scheduler is None and workers is None else _on_cluster(stack, scheduler, workers)
        for outcome in each(items, force):
            found[outcome.area] = outcome
            done = f"done ({outcome.seconds:.0f} s)" if outcome.error is None else f"failed: {outcome.error}"
            say(f"{len(found)} of {len(items)}, {outcome.area}: {done}")
    return [found[item.area] for item in items]


def _one_by_one(items: Sequence[Item], force: bool) -> Iterator[Outcome]:
    for item in items:
        yield run_one(item, files.project_folder(), force)


def _on_cluster(
    stack: ExitStack, scheduler: str | None, workers: int | None
) -> Callable[[Sequence[Item], bool], Iterator[Outcome]]:
    import dask
    import distributed

    if scheduler is None:
        # Each area has its own kernel, whose threads share the processors with those of the others.
        threads = max(1, (os.cpu_count() or 1) // (workers or 1))
        stack.enter_context(environment.change({"DASK_NUM_WORKERS": str(threads)}))
        # A daemon may not start processes: each worker forks the kernels of its areas (lulc_kit.kernels).
        stack.enter_context(dask.config.set({"distributed.worker.daemon": False}))
        scheduler = stack.enter_context(
            distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, dashboard_address=None, memory_limit=0, silence_logs=50
            )
        ).scheduler_address
    try:
        client = stack.enter_context(distributed.Client(scheduler, timeout="20s", set_as_default=False))
    except OSError as error:
        raise LulcError(f"No dask scheduler answers at {scheduler} ({error}). Start one: dask scheduler") from error
    return lambda items, force: _submitted(client, items, force)


def _submitted(client: distributed.Client, items: Sequence[Item], force: bool) -> Iterator[Outcome]:
    import distributed

    project = files.project_folder()
    waiting = {client.submit(run_one, item, project, force, pure=False): item for item in items}
    for future in distributed.as_completed(list(waiting), loop=client.loop):
        error = future.exception()
        yield future.result() if error is None else _lost(waiting[future], error)


def _lost(item: Item, error: BaseException) -> Outcome:
    """Say of an item that no worker could finish what is known: its workers died, or something no area should do."""
    import distributed

    if isinstance(error, distributed.KilledWorker):
        why = "the worker died each time it was tried, most often for lack of memory: start fewer (--workers)"
    else:
        why = f"{type(error).__name__}: {error}"
    return _measured(item, why)


_ONE = threading.Lock()
"""A process works on one area at a time: its working folder and environment are those of the area."""


def run_one(item: Item, project: Path, force: bool = False) -> Outcome:
    """Run the steps of one area, in the project's folder; an error of the kit's becomes part of the outcome."""
    # Each area's blocks are computed where the area is: the cluster has areas enough to be busy.
    alone = {"DASK_SCHEDULER_ADDRESS": None, "DASK_INTERNAL_INHERIT_CONFIG": None}
    with _ONE, environment.change(alone):
        os.chdir(project)
        try:
            run.announce(item.steps)
            with redirect_stdout(io.StringIO()):  # progress of many areas at once; their notebooks keep it
                run.run(item.steps, force=force, say=lambda line: None)
        except LulcError as error:
            return _measured(item, str(error))
    return _measured(item, None)


def _measured(item: Item, error: str | None) -> Outcome:
    home = item.study
    records = [record for planned in item.steps if (record := home.record(planned.step)) is not None]
    stored = sum(f.stat().st_size for f in home.folder.rglob("*") if f.is_file()) if home.folder.is_dir() else 0
    return Outcome(
        item.area,
        error,
        round(sum(r.duration_s for r in records), 1),
        max((r.peak_memory_mb for r in records), default=0),
        round(stored / 1e6, 1),
    )
