"""A whole Level-2A tile from its SAFE folder to the written, sharpened, masked 10 m cube.

    python -m benchmarks.preprocess [--size 10980] [--folder DIR]

The product is simulated (12 bands as JPEG 2000, scene classification, a tenth of it under clouds); making it takes
longer than what is measured, so ``--folder`` keeps it. What is measured is what notebook 02 does with one date:
metadata, guard, mask with a buffer of 60 m, sharpening of six 20 m and two 60 m bands, and two COG files. The aim
for a whole tile (10980) is 10 minutes on two cores. No peer does all of this in one program; Sen2Res alone took
1 h 49 min for a part of a tile in the workflow that the kit replaces.
"""

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks import report
from benchmarks.sharpen import Peak
from lulc_kit import params
from lulc_kit.download import products
from lulc_kit.preprocess import builder, grid
from lulc_kit.simulated import simulate

DATES = ("2022-03-26", "2022-06-14")  # the second is cloudless, and only there so that the first is not


def product(folder: Path, size: int) -> Path:
    """Simulate a tile, unless it is there; return the folder that holds its product of the cloudy date."""
    wanted = folder / f"tile_{size}"
    if not wanted.exists():
        made = simulate(folder / f"all_{size}", size=size, tiles=1, dates=DATES, seed=1)
        wanted.mkdir()
        made.scenes[0].rename(wanted / made.scenes[0].name)
    return wanted


def build(source: Path, target: Path) -> float:
    """Do what notebooks 01 and 02 do with a product; return the clear part."""
    p = params.Preprocess()
    catalog = products.catalog(str(source), {}, target)
    geobox = grid.study_grid(catalog)
    table = builder.build(
        catalog,
        geobox,
        target,
        mask="scl",
        mask_buffer=p.mask_buffer,
        scl_exclude=p.scl_exclude,
        sharpen=p.sharpen == "local",
    )
    return float(table.loc[0, "clear"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=10980, help="side of the tile, pixels of 10 m")
    parser.add_argument("--folder", type=Path, help="where the simulated product is kept, or found")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder, work = arguments.folder or Path(name), Path(name)
        source = product(folder, arguments.size)
        build(product(work, 258), work / "warm")  # compiles
        start = time.perf_counter(), time.process_time()
        with Peak() as peak:
            clear = build(source, work / "cube")
        wall, processor = time.perf_counter() - start[0], time.process_time() - start[1]
        written = sum(f.stat().st_size for f in (work / "cube").iterdir()) / 1e9
    report.publish(
        "preprocess",
        f"One simulated L2A tile of {arguments.size}×{arguments.size} pixels, from SAFE to the cube",
        ["wall, s", "processor, s", "peak memory, GB", "written, GB", "megapixels per second"],
        [[wall, processor, peak.gigabytes, written, arguments.size**2 / wall / 1e6]],
        f"{clear:.0%} of it is clear. Peak memory without the pages of memory-mapped files.",
    )


if __name__ == "__main__":
    main()
