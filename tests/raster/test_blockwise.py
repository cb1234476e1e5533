"""How much of a raster is in memory at once, and that each block is stored in its place."""

import subprocess
import sys

import dask
import dask.array as da
import distributed
import numpy as np
import psutil
import pytest

from lulc_kit import raster
from lulc_kit.errors import LulcError
from lulc_kit.raster import blockwise, writing
from tests.rasters import grid

PEAK = """
import sys
from pathlib import Path
import dask
import dask.array as da
import distributed
import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from lulc_kit.raster import blockwise, writing
from lulc_kit import raster

box = GeoBox((2600, 2600), Affine(10, 0, 500_000, 0, -10, 5_000_000), "EPSG:32633")
blockwise.limit_memory(int(sys.argv[2]))
image = da.random.default_rng(1).random((24, 2600, 2600), dtype=np.float32, chunks=(24, 512, 512))
names = [f"b{i}" for i in range(24)]
writing.write_all([writing.Output(Path(sys.argv[1]), raster.array(image * 2, box, names))], layers=48)
found = raster.read(sys.argv[1]).data
blockwise.decimate(found, 100)
blockwise.reduce(np.nanmax, found, layers=24)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read from Linux' /proc")
def test_memory_stays_below_what_is_allowed(tmp_path):
    allowed = 700  # MB; the raster has nearly as many, and what it is made of as much again
    command = [sys.executable, "-c", PEAK, str(tmp_path / "x.tif"), str(allowed)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[-1]) / 1e3 < allowed  # a slow machine shows progress before


def test_memory_that_holds_not_even_one_block_is_refused(tmp_path):
    data = da.zeros((1, 100, 100), np.float32, chunks=(1, 50, 50))
    with dask.config.set({"lulc_kit.memory": 1}), pytest.raises(LulcError, match=r"memory to at least \d+"):
        writing.write(tmp_path / "x.tif", raster.array(data, grid((100, 100)), ["a"]))
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells what is mapped")
def test_pages_of_a_file_that_is_mapped_are_not_held(tmp_path, monkeypatch):
    monkeypatch.setattr(blockwise, "psutil", psutil)  # the process itself, not what a test took
    np.zeros(200_000_000, np.uint8).tofile(tmp_path / "x")
    before = blockwise.allowance()[1]
    mapped = np.memmap(tmp_path / "x", np.uint8, "r")
    assert mapped.sum() == 0 and blockwise.allowance()[1] < before + 100
    kept = np.ones(200_000_000, np.uint8)
    assert kept[0] and blockwise.allowance()[1] > before + 100


BLOCKS = da.random.default_rng(1).random((2, 70, 50), chunks=(2, (30, 30, 10), 25))


@pytest.mark.parametrize("count", [1, 3, 5, 99])
def test_every_block_is_stored_in_its_place(count):
    numbers = BLOCKS.compute()
    one, two = np.full(numbers.shape, np.nan), np.full(numbers.shape, np.nan)
    blockwise.store([BLOCKS, BLOCKS + 1], [one, two], count)
    np.testing.assert_array_equal(one, numbers)
    np.testing.assert_array_equal(two, numbers + 1)


def test_a_cluster_returns_its_blocks_to_be_stored():
    numbers, found = BLOCKS.compute(), np.full(BLOCKS.shape, np.nan)
    with distributed.Client(processes=False, n_workers=1, dashboard_address=None):
        blockwise.store([BLOCKS], [found], 4)
    np.testing.assert_array_equal(found, numbers)


def test_parts_of_blocks_are_those_of_the_whole():
    numbers = BLOCKS.compute()
    assert sum(blockwise.reduce(np.sum, BLOCKS)) == pytest.approx(numbers.sum())
    np.testing.assert_array_equal(blockwise.decimate(BLOCKS, 7), numbers[:, ::7, ::7])
    np.testing.assert_array_equal(blockwise.decimate(BLOCKS, 7, 3), numbers[:, ::7, ::3])
