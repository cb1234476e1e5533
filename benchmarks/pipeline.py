"""Training fed by its own pipeline beside the same batches from memory: how busy the network is.

    python -m benchmarks.pipeline [--runs fcn mlp …] [--stretches 15] [--outputs DIR]

The trainer of notebooks 07 and 08 takes the same stretches of steps three times: as it trains, cutting the next batch
from the files while it learns from one; with batches that were cut before and lie in memory; and cutting each batch
only when it is wanted, to show what the overlap is worth. Speeds are of the quickest stretch of each, because the
machine may have other things to do; the order changes from stretch to stretch. Busy: pipeline by memory.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.deep import named, prepare
from lulc_kit import params, raster
from lulc_kit.deep import patches, results, training
from lulc_kit.deep.scene import Scene
from lulc_kit.layout import Layout
from lulc_kit.samples import Samples

RUNS = {
    "havelland": ("fcn", "fcn_light", "mlp"),
    "romania": ("fcn", "ltae_fixed", "ltae_random", "utae_random", "lstm_fixed", "lstm_random"),
}
COLUMNS = ["study", "network", "bands", "patches/s", "from memory", "busy", "without overlap", "ms to cut a batch"]


class Held:
    """Batches that were cut before."""

    def __init__(self, data: patches.Patches, first: int) -> None:
        self.first, self.batches = first, [data[i] for i in range(first, first + training.EVERY)]

    def __getitem__(self, index: int) -> Any:
        return self.batches[index - self.first]


class Now(ThreadPoolExecutor):
    """Does at once what it is asked to do ahead."""

    def submit(self, work: Callable[..., Any], /, *given: Any, **more: Any) -> Future[Any]:
        """Return what is done."""
        done: Future[Any] = Future()
        done.set_result(work(*given, **more))
        return done


class Measured(Exception):
    """All that was wanted of a training is known."""


def measure(stretches: int) -> type[training.Trainer]:
    """Return a trainer that measures its first network, and ends with `Measured`."""

    class Timed(training.Trainer):
        def fit(self, model: Any, data: patches.Patches, *rest: Any) -> training.State:
            self._begin(model)
            seconds: dict[str, list[float]] = {"pipeline": [], "memory": [], "one by one": []}
            cut = []
            with ThreadPoolExecutor(1) as ahead, Now(1) as now:
                self._run(data, training.State(), ahead)  # compiles
                for i in range(stretches):
                    start = time.perf_counter()
                    held: Any = Held(data, i * training.EVERY)
                    cut.append((time.perf_counter() - start) / training.EVERY)
                    ways = {"pipeline": (data, ahead), "memory": (held, ahead), "one by one": (data, now)}
                    for name in np.roll(list(ways), i):
                        state = training.State(step=i * training.EVERY)
                        start = time.perf_counter()
                        self._run(ways[name][0], state, ways[name][1])
                        seconds[name].append(time.perf_counter() - start)
            speeds = {name: training.EVERY * data.batch / min(found) for name, found in seconds.items()}
            raise Measured(speeds, 1000 * min(cut))

    return Timed


def row(study: str, name: str, stretches: int, layout: Layout) -> list[object]:
    """Measure a network of a study."""
    samples, p = Samples.read(layout), named(study)[name]
    training.Trainer = measure(stretches)
    try:
        if isinstance(p, params.FCN):
            scene = Scene(raster.read(layout.stack, p.features), samples)
            results.train_fcn(scene, p, layout)
        else:
            p = p.model_copy(update={"fcn": f"{p.fcn}-1"})  # as benchmarks.deep keeps it
            first = results.open_first(p, samples, layout)
            scene = Scene(raster.read(layout.stack, first.features), samples)
            results.train_lstm(scene, results.read_series(layout, first.features, p), first, p, layout)
    except Measured as found:
        speeds, cut = found.args
    busy = speeds["pipeline"] / speeds["memory"]
    speeds = [speeds["pipeline"], speeds["memory"], f"{busy:.2f}", speeds["one by one"]]
    return [study, name, len(scene.bands), *speeds, cut]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", nargs="+", default=list(RUNS), help="havelland and romania by default")
    parser.add_argument("--runs", nargs="+", help="which networks; all by default")
    parser.add_argument("--stretches", type=int, default=15, help=f"of {training.EVERY} steps")
    parser.add_argument("--outputs", help="folder of what notebooks 01 to 05 wrote, and benchmarks.deep")
    arguments = parser.parse_args()
    note = "Patches of a study's own size and batches. The fewer cores, the more cutting and learning share."
    with tempfile.TemporaryDirectory() as folder:
        for study in arguments.studies:
            layout = prepare(study, Path(arguments.outputs or folder).absolute())
            for name in arguments.runs or RUNS[study]:
                made = row(study, name, arguments.stretches, layout)
                rows = report.earlier("pipeline", COLUMNS, lambda r, m=made: [r["study"], r["network"]] == m[:2])
                title = "Training fed by its pipeline, beside the same batches from memory"
                report.publish("pipeline", title, COLUMNS, [*rows, made], note)


if __name__ == "__main__":
    main()
