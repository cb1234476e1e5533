"""A real disk of 16 MB, more or less filled: each kind of file is whole, or a LulcError says what is full."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

PROJECT = Path(__file__).parents[1]
MOUNT = 'mount -t tmpfs -o size=16m none "$1" && shift && exec "$@"'
NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", MOUNT, "sh")
FREE = (0, 200, 1300, 3000, 4000, 4300, 5200, 5800, 7000)
"""Kilobytes."""
HEAD = range(6200, 6600, 40)
"""Kilobytes with which GDAL loses the head of a COG of 600 × 600 and says nothing."""


def on_a_small_disk(disk, what):
    """Call a function of this module in a process that has a disk of its own; return what it prints."""
    disk.mkdir()
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not there (util-linux), which gives a process a disk of its own")
    tried = subprocess.run([*NAMESPACE, disk, "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"this system gives no process a disk of its own: {tried.stderr.strip()}")
    found = subprocess.run(
        [*NAMESPACE, disk, sys.executable, "-m", "tests.test_full_disk", disk, what],
        capture_output=True,
        text=True,
        cwd=PROJECT,
    )
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout.splitlines()[-1])


@pytest.mark.long
def test_files_on_a_full_disk(tmp_path):
    disk = tmp_path / "disk"
    said = on_a_small_disk(disk, "write")
    assert {kind for kind, *_ in said} == set(_writers(disk))
    for kind, free, outcome, whole in said:
        assert whole, (kind, free, outcome)
        assert outcome == "written" or f"{disk}/{kind}" in outcome, (kind, free, outcome)
        assert outcome == "written" or ("MB free" in outcome and "MB are needed" in outcome)
    for kind in _writers(disk):
        assert {outcome == "written" for k, _, outcome, _ in said if k == kind} == {True, False}, kind
    assert list(disk.iterdir()) == [], "it was the disk of that process"


@pytest.mark.slow
def test_a_download_that_fills_the_disk_goes_on_when_there_is_room(tmp_path):
    disk = tmp_path / "disk"
    error, left, first_byte, whole = on_a_small_disk(disk, "download")
    assert f"{disk}/x.bin" in error and "MB free" in error
    assert "x.bin" not in left
    # What had come before the disk was full was not asked for again.
    assert whole and first_byte > 1_000_000


def _download(disk: Path) -> None:
    from lulc_kit.download import servers, transfer
    from lulc_kit.errors import LulcError
    from tests.services.cdse import Server

    content = np.random.default_rng(1).bytes(6_000_000)
    with Server() as server:
        os.environ.update(server.environment())
        server.files["x.bin"] = content
        fill = disk / "fill"
        fill.write_bytes(bytes(shutil.disk_usage(disk).free - 3_000_000))
        wanted = transfer.Wanted(f"{server.url}/files/x.bin", disk / "x.bin")  # of a size that nobody says
        try:
            transfer.fetch(wanted, servers.Web().open)
            said = ""
        except LulcError as error:
            said = str(error)
        left = [path.name for path in disk.iterdir()]
        fill.unlink()
        found = transfer.fetch(wanted, servers.Web().open).read_bytes() == content
        (*_, (_, _, headers)) = server.asked
    first = int(headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
    sys.stdout.write(json.dumps([said, left, first, found]))


def _writers(disk: Path) -> dict[str, tuple[Callable[[], None], Callable[[], bool]]]:
    """Return how each kind of file is written, and whether it is whole, by its name."""
    import geopandas as gpd
    import rasterio
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from lulc_kit import files, raster
    from lulc_kit.baselines import storage
    from lulc_kit.raster import writing
    from tests.rasters import grid

    rng = np.random.default_rng(0)
    numbers = rng.random((600, 600), np.float32)
    image = raster.array(numbers[None], grid(numbers.shape), ["B4"])
    table = gpd.GeoDataFrame({"v": numbers.ravel()}, geometry=gpd.points_from_xy(*[numbers.ravel()] * 2, crs=32633))
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(1)).fit(
        rng.random((30_000, 10)), rng.integers(0, 2, 30_000)
    )
    text = "x" * 2_000_000

    def save(path: Path) -> None:
        with files.replacing(path) as part:
            table.to_parquet(part)

    def same(path: Path) -> bool:
        with rasterio.open(path) as found, rasterio.open(path, overview_level=0) as small:
            means = numbers.reshape(300, 2, 300, 2).mean(axis=(1, 3))
            return bool((found.read(1) == numbers).all() and np.allclose(small.read(1), means, rtol=1e-5))

    path = {name: disk / name for name in ("cog.tif", "plain.tif", "text.json", "table.parquet", "model.skops")}
    whole: dict[str, tuple[Callable[[], None], Callable[[], bool]]] = {
        "cog.tif": (lambda: writing.write(path["cog.tif"], image), lambda: same(path["cog.tif"])),
        "text.json": (
            lambda: files.write_json(path["text.json"], text),
            lambda: files.read_json(path["text.json"]) == text,
        ),
        "table.parquet": (
            lambda: save(path["table.parquet"]),
            lambda: len(gpd.read_parquet(path["table.parquet"])) == numbers.size,
        ),
        "model.skops": (
            lambda: storage.save(model, path["model.skops"]),
            lambda: storage.load(path["model.skops"])[-1].n_samples_fit_ == 30_000,
        ),
    }
    return whole


def _try_all(disk: Path) -> None:
    from lulc_kit.errors import LulcError

    found = []
    for kind, (write, whole) in _writers(disk).items():
        for free in (*FREE, *(HEAD if kind == "cog.tif" else ())):
            fill, path = disk / "fill", disk / kind
            path.write_text("old")
            fill.write_bytes(bytes(shutil.disk_usage(disk).free - 1024 * free))
            try:
                write()
                found.append((kind, free, "written", whole()))
            except LulcError as error:
                found.append((kind, free, str(error), path.read_text() == "old"))
            left = {p.name for p in disk.iterdir()} - {"fill", kind}
            assert not left, left
            fill.unlink()
            path.unlink()
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    {"write": _try_all, "download": _download}[sys.argv[2]](Path(sys.argv[1]))
