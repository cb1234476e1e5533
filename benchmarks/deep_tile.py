"""Notebook 07 on a whole tile: memory and minutes of opening, training, and mapping; and whether memory grows.

    python -m benchmarks.deep_tile [--sides 2745 10980] [--steps 200]

A simulated stack of 20 bands (that of benchmarks.applicability), a square of 20 × 20 labelled pixels every 300 pixels,
six classes drawn at random, three folds: the network learns nothing worth knowing, and costs what it costs. What is
done is what the notebook does, with its defaults and the limit of memory of a study. Features take 10 GB of the disk as
a file and 10 GB as the copy that windows are read from; making the file is not counted.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks import applicability, report
from benchmarks.sharpen import Peak
from lulc_kit import params, raster
from lulc_kit.classes import scheme
from lulc_kit.deep import results
from lulc_kit.layout import Layout
from lulc_kit.raster import blockwise, writing
from lulc_kit.samples import Samples
from tests.rasters import grid

CLASSES, FOLDS, FIELD, APART = 6, 3, 20, 300
"""Classes and folds; side of a labelled square, and distance from one to the next, pixels."""
COLUMNS = ["Mpx", "columns×rows", "what", "seconds", "memory, GB", "Mpx/s"]


def label(side: int) -> Samples:
    """Return labelled squares of a scene, made block by block; each is a block of its own."""
    across = -(-side // APART)
    random = np.random.default_rng(1)
    classes = scheme("workflow").subset(list(scheme("workflow").values)[:CLASSES])
    value = random.choice(classes.values, across**2)
    fold = random.integers(1, FOLDS + 1, across**2)

    def squares(block_info: Any = None) -> npt.NDArray[np.uint32]:
        (top, bottom), (left, right) = block_info[None]["array-location"][1:]
        rows, columns = np.ogrid[top:bottom, left:right]
        square = rows // APART * across + columns // APART
        there = (rows % APART < FIELD) & (columns % APART < FIELD)
        trains = [fold[square] != k for k in range(1, FOLDS + 1)]
        return np.stack([value[square], fold[square], square + 1, *trains]).astype(np.uint32) * there

    names = ["label", "fold", "block", *(f"train_{k}" for k in range(1, FOLDS + 1))]
    chunks = ((len(names),), *da.core.normalize_chunks(512, shape=(side, side)))
    codes = da.map_blocks(squares, chunks=chunks, dtype=np.uint32, meta=np.empty((0, 0, 0), np.uint32))
    table = pd.DataFrame({"row": [0], "column": [0], "class": [classes.names[0]], "label": [classes.values[0]]})
    box = grid((side, side))
    as_raster = raster.array(codes[:1].astype(np.uint8), box, names[:1]), raster.array(codes[1:], box, names[1:])
    return Samples(table.assign(fold=1, block=1), classes, "squares", *as_raster)


def prepare(layout: Layout, side: int) -> None:
    """Write the stack and the samples."""
    numbers = da.map_blocks(
        applicability._block,
        chunks=((applicability.BANDS,), *da.core.normalize_chunks(512, shape=(side, side))),
        dtype=np.float32,
        meta=np.empty((0, 0, 0), np.float32),
    )
    layout.stack.parent.mkdir(parents=True)
    box, names = grid((side, side)), [f"b{k}" for k in range(applicability.BANDS)]
    writing.write_plain(layout.stack, raster.array(numbers, box, names))
    label(side).write(layout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=[2745, 10980], help="rows and columns, pixels")
    parser.add_argument("--steps", type=int, default=200, help="of each network")
    parser.add_argument("--memory", type=int, default=3000, help="megabytes that may be taken")
    arguments = parser.parse_args()
    blockwise.limit_memory(arguments.memory)
    p = params.FCN(study="tile", steps=arguments.steps)
    rows: list[list[object]] = []
    for side in arguments.sides:
        with tempfile.TemporaryDirectory() as folder:
            layout, pixels = Layout(Path(folder) / "tile"), side**2 / 1e6

            def put(what: str, started: float, peak: Peak, of: str = f"{side}×{side}", mega: float = pixels) -> None:
                passed = time.perf_counter() - started
                rows.append([mega, of, what, passed, peak.gigabytes, mega / passed])
                print(rows[-1], flush=True)

            prepare(layout, side)
            with Peak() as peak:
                started = time.perf_counter()
                samples = Samples.read(layout)
                scene = results.open_scene(samples, None, p, layout)
            put("opened: the copy of the features, labels and folds", started, peak)
            with Peak() as peak:
                started = time.perf_counter()
                trained = results.train_fcn(scene, p, layout)
            put(f"trained: {FOLDS} networks of {arguments.steps} steps", started, peak)
            with Peak() as peak:
                started = time.perf_counter()
                results.write_fcn(trained, scene, samples, p, layout)
            put(f"mapped by {FOLDS} networks, all files", started, peak)
            del scene
    done = {row[1] for row in rows}
    rows = [*report.earlier("deep_tile", COLUMNS, lambda row: row["columns×rows"] in done), *rows]
    rows.sort(key=lambda row: float(str(row[0])))
    note = (
        f"Memory is that of the process without pages of mapped files; {arguments.memory} MB were allowed. Simulated."
    )
    report.publish("deep_tile", "Notebook 07 on a whole tile", COLUMNS, rows, note)


if __name__ == "__main__":
    main()
