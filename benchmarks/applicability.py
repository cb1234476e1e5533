"""Area of applicability of a scene, written as COGs: time and memory by scene, samples and what is measured.

    python -m benchmarks.applicability [--sides 1024] [--samples 2000 5000] [--whole]

A simulated stack of 20 bands that go together (five hidden layers of fields, with noise, mixed into 20 bands, noise
again), six classes, training samples in 400 m blocks of the western half. All that notebook 09 writes of doubt is
computed and written: dissimilarity, density where it is counted, class sets, the combined layer. The search for the
nearest sample is compared with SciPy's tree without the turn onto principal axes and with all distances, both for the
same pixels. Minutes of a tile of 10980 × 10980 pixels follow, pixel for pixel, from the processor's seconds, shared by
two cores that have nothing else to do: on a busy machine the clock says more of the others than of this. With --whole
the tile itself is measured by the clock, with as many samples as notebook 09 takes and no density; its features take
10 GB of the disk for so long, and making them is not counted. Rows of other scenes stay as they were measured. How
much a draw of the samples changes the result: the part of pixels that all samples and the draw put on the same side.
"""

import argparse
import tempfile
import time
from pathlib import Path

import dask.array as da
import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

from benchmarks import report
from benchmarks.sharpen import Peak
from lulc_kit import raster
from lulc_kit.evaluate import applicability, doubt
from lulc_kit.layout import RunLayout
from lulc_kit.raster import blockwise, writing
from tests.rasters import grid

BANDS, HIDDEN, CLASSES, BLOCK = 20, 5, 6, 40
SIDE = 10980
TILE = SIDE**2
MIXED = np.random.default_rng(9).normal(size=(BANDS, HIDDEN)).astype(np.float32)


def scene(shape: tuple[int, int], seed: int) -> np.ndarray:
    """Return bands that go together, (band, row, column)."""
    rng = np.random.default_rng(seed)
    small = rng.normal(size=(HIDDEN, shape[0] // 8 + 1, shape[1] // 8 + 1)).astype(np.float32)
    hidden = np.repeat(np.repeat(small, 8, axis=1), 8, axis=2)[:, : shape[0], : shape[1]]
    hidden = hidden + 0.3 * rng.standard_normal(hidden.shape, np.float32)
    return np.tensordot(MIXED, hidden, 1) + 0.4 * rng.standard_normal((BANDS, *shape), np.float32)


def _block(block_info: dict) -> np.ndarray:
    (top, bottom), (left, right) = block_info[None]["array-location"][1:]
    return scene((bottom - top, right - left), top * 100_003 + left)


def samples(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features and folds of samples from the western half of a scene."""
    image = scene((512, 512), 1)[:, :, :256]
    rng = np.random.default_rng(2)
    rows, columns = np.divmod(rng.permutation(512 * 256)[:count], 256)
    block = rows // BLOCK * 10 + columns // BLOCK
    return image[:, rows, columns].T.astype(float), block % 4 + 1


def ours(folder: Path, side: int, space: applicability.Space, most: int) -> tuple[float, float, float]:
    """Return seconds, those of the processor, and gigabytes of all layers of doubt of a scene of that side."""
    names = [f"b{k}" for k in range(BANDS)]
    box = grid((side, side))
    numbers = da.map_blocks(
        _block,
        chunks=((BANDS,), *da.core.normalize_chunks(512, shape=(side, side))),
        dtype=np.float32,
        meta=np.empty((0, 0, 0), np.float32),
    )
    writing.write_plain(folder / "stack.tif", raster.array(numbers, box, names))
    codes = raster.array(da.ones((1, side, side), dtype=np.uint8, chunks=512), box, ["class"])
    percent = raster.array(
        da.full((CLASSES, side, side), 100 // CLASSES, dtype=np.uint8, chunks=(-1, 512, 512)),
        box,
        [f"c{k}" for k in range(CLASSES)],
    )
    limits = doubt.Limits(space, np.full(CLASSES, 10), 10.0, most)
    start, busy = time.perf_counter(), time.process_time()
    with Peak() as peak:
        found = doubt.layers(raster.read(folder / "stack.tif"), codes, percent, limits)
        doubt.write(found, RunLayout(folder, "x"), BANDS + CLASSES, most=most, error_rate=0.1)
    return time.perf_counter() - start, time.process_time() - busy, peak.gigabytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=[1024], help="rows and columns, pixels")
    parser.add_argument("--samples", type=int, nargs="+", default=[2000, 5000], help="training samples")
    parser.add_argument("--whole", action="store_true", help="a whole tile, 5000 samples, no density")
    parser.add_argument("--all", type=int, default=18000, help="samples of which these are a draw")
    parser.add_argument("--memory", type=int, default=3000, help="megabytes that may be taken")
    arguments = parser.parse_args()
    densities = (0, 50)
    if arguments.whole:
        arguments.sides, arguments.samples, densities = [SIDE], [5000], (0,)
    blockwise.limit_memory(arguments.memory)
    pixels = scene((128, 128), 3).reshape(BANDS, -1).T.astype(float)
    everything = applicability.fit(*samples(arguments.all))
    inside = everything.dissimilarity(pixels) <= everything.threshold
    rows = []
    for count in arguments.samples:
        x, fold = samples(count)
        start = time.perf_counter()
        space = applicability.fit(x, fold)
        fitted = time.perf_counter() - start
        same = float(((space.dissimilarity(pixels) <= space.threshold) == inside).mean())
        space.density(pixels[:10])  # compiled before the clock runs
        part = pixels[:4000]
        tree = KDTree((x - space.centre) / x.std(axis=0, ddof=1))
        scaled = (part - space.centre) / x.std(axis=0, ddof=1)
        per_second = [
            len(part) / report.seconds(work, 3)
            for work in (
                lambda: space.dissimilarity(part),  # noqa: B023
                lambda: tree.query(scaled),  # noqa: B023
                lambda: cdist(scaled, tree.data).min(axis=1),  # noqa: B023
            )
        ]
        for most in densities:
            for side in arguments.sides:
                with tempfile.TemporaryDirectory() as name:
                    seconds, busy, gigabytes = ours(Path(name), side, space, most)
                minutes = busy / 2 / side**2 * TILE / 60
                measured = [seconds, busy, gigabytes, minutes, fitted]
                rows.append([f"{side}×{side}", count, most, *measured, *per_second, same])
                print(rows[-1], flush=True)
    columns = ["columns×rows", "samples", "density up to", "seconds", "CPU seconds", "memory, GB"]
    columns += ["minutes for a tile, two free cores"]
    columns += [
        "fit, s",
        "nearest: pixels/s, one thread",
        "without the turn",
        "all distances",
        f"same side as {arguments.all}",
    ]
    sizes = {f"{side}×{side}" for side in arguments.sides}
    rows = report.earlier("applicability", columns, lambda row: row["columns×rows"] in sizes) + rows
    note = f"Memory is that of the process, of {arguments.memory} MB allowed. Simulated bands."
    report.publish(
        "applicability", "Where not to trust a map: time, memory, and a draw of the samples", columns, rows, note
    )


if __name__ == "__main__":
    main()
