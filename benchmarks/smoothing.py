"""A class map smoothed in each way: time and memory by the scene's size, and of a whole tile.

    python -m benchmarks.smoothing [--sides 1024 2048] [--whole]

Simulated probabilities of 12 classes with noise and an image of three bands, as files. What notebook 09 does is
measured: read, smooth window by window, write as a COG. Patches under a least area are sought in the whole map, which
takes memory by its size; all else does not. Minutes of a tile of 10980 × 10980 pixels follow, pixel for pixel, from the
processor's seconds, shared by two cores that have nothing else to do. With --whole the tile itself is measured, by the
Gaussian with a least area; making its files is not counted.
"""

import argparse
import tempfile
import time
from pathlib import Path

import dask.array as da
import numpy as np

from benchmarks import report
from benchmarks.sharpen import Peak
from lulc_kit import map_layers, raster
from lulc_kit.evaluate import smoothed
from lulc_kit.evaluate.smoothed import Way
from lulc_kit.raster import blockwise, writing
from tests.rasters import grid

CLASSES, FIELD = 12, 16
SIDE = 10980
VALUES = tuple(range(1, CLASSES + 1))
WAYS = {
    "gaussian": Way("gaussian", 1.0, 0),
    "guided": Way("guided", 2.0, 0),
    "majority": Way("majority", 1.0, 0),
    "least area": Way("none", 0.0, 20),
}


def _block(block_info: dict, what: str) -> np.ndarray:
    """Return percent of each class, or three bands, of fields that are the same whoever asks."""
    (top, bottom), (left, right) = block_info[None]["array-location"][1:]
    rng = np.random.default_rng(top * 100_003 + left)
    shape = (bottom - top, right - left)
    kind = np.kron(rng.integers(0, CLASSES, [-(-n // FIELD) for n in shape]), np.ones((FIELD, FIELD), int))
    kind = kind[: shape[0], : shape[1]]
    if what == "image":
        return (0.02 * kind + 0.1 + 0.01 * rng.standard_normal((3, *shape))).astype(np.float32)
    raw = rng.gamma(0.5, size=(CLASSES, *shape)).astype(np.float32)
    raw += 2.0 * (np.arange(CLASSES)[:, None, None] == kind)
    return map_layers.percent(raw / raw.sum(axis=0))


def made(folder: Path, side: int, what: str, bands: int, dtype: str) -> Path:
    """Write a simulated raster and return where it lies."""
    chunks = ((bands,), *da.core.normalize_chunks(512, shape=(side, side)))
    numbers = da.map_blocks(_block, what=what, chunks=chunks, dtype=dtype, meta=np.empty((0, 0, 0), dtype))
    writing.write_plain(
        folder / f"{what}.tif", raster.array(numbers, grid((side, side)), map(str, range(bands))), dtype
    )
    return folder / f"{what}.tif"


def measure(folder: Path, way: Way) -> tuple[float, float, float]:
    """Return seconds, those of the processor, and gigabytes of smoothing a scene into a file."""
    guide = raster.read(folder / "image.tif") if way.method == "guided" else None
    start, busy = time.perf_counter(), time.process_time()
    with Peak() as peak:
        found = smoothed.apply(raster.read_codes(folder / "percent.tif"), way, VALUES, None, guide)
        output = writing.Output(folder / "smoothed.tif", found, "uint8", 0)
        writing.write_all([output], layers=way.held(CLASSES))
    return time.perf_counter() - start, time.process_time() - busy, peak.gigabytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=[1024, 2048], help="rows and columns, pixels")
    parser.add_argument("--whole", action="store_true", help="a whole tile, by the Gaussian with a least area")
    parser.add_argument("--memory", type=int, default=3000, help="megabytes that may be taken")
    arguments = parser.parse_args()
    blockwise.limit_memory(arguments.memory)
    ways = WAYS
    if arguments.whole:
        arguments.sides, ways = [SIDE], {"gaussian, least area": Way("gaussian", 1.0, 20)}
    rows: list[list[object]] = []
    for side in arguments.sides:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            made(folder, side, "percent", CLASSES, "uint8")
            if "guided" in ways:
                made(folder, side, "image", 3, "float32")
            for title, way in ways.items():
                seconds, busy, gigabytes = measure(folder, way)
                rows.append([f"{side}×{side}", title, seconds, busy, gigabytes, busy / 2 * (SIDE / side) ** 2 / 60])
                print(rows[-1], flush=True)
    columns = ["columns×rows", "way", "seconds", "CPU seconds", "memory, GB", "minutes for a tile, two free cores"]
    sizes = {f"{side}×{side}" for side in arguments.sides}
    rows = report.earlier("smoothing", columns, lambda row: row["columns×rows"] in sizes) + rows
    note = (
        f"Memory is that of the process, of {arguments.memory} MB allowed. {CLASSES} classes, simulated: "
        f"noise makes a patch of every few pixels, which is the worst case of a least area."
    )
    report.publish("smoothing", "A map without specks: time and memory", columns, rows, note)


if __name__ == "__main__":
    main()
