"""Scenes sharpened from file to file: against a truth known by construction, and what is refused."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from rasterio.transform import from_origin
from scipy import ndimage

from lulc_kit import grids, raster
from lulc_kit.catalog import Band, Scene
from lulc_kit.errors import LulcError
from lulc_kit.preprocess import radiometry
from lulc_kit.preprocess.sharpening.scene import FINE, sharpen_scene
from lulc_kit.preprocess.sharpening.sharpen import MTF, degrade, sharpen

SIZE = 240
RESOLUTION = {"B2": 10, "B3": 10, "B4": 10, "B8": 10, "B5": 20, "B11": 20, "B9": 60}
MIXTURE = {"B5": (0.1, 0.2, 0.4, 0.3), "B11": (-0.5, 0.2, 1.1, 0.3), "B9": (0.6, 0.3, 0.1, 0.1)}
LEFT, TOP = 300_000.0, 5_000_040.0


def ground() -> dict[str, npt.NDArray[np.float64]]:
    """Bands at 10 m: coarse ones are mixtures of the fine ones, so their detail can be known."""
    generator = np.random.default_rng(7)
    rough = [ndimage.gaussian_filter(generator.normal(size=(SIZE, SIZE)), 1.5) for _ in range(4)]
    fine = {name: 0.2 + 0.04 * r / r.std() for name, r in zip(FINE, rough, strict=True)}
    stack = np.stack(list(fine.values()))
    return fine | {name: np.tensordot(parts, stack, 1) for name, parts in MIXTURE.items()}


def write(folder: Path, name: str, numbers: npt.NDArray[np.uint16], resolution: int, left: float = LEFT) -> Band:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.tif"
    profile = {"count": 1, "height": numbers.shape[0], "width": numbers.shape[1], "dtype": "uint16", "crs": 32633}
    with rasterio.open(path, "w", transform=from_origin(left, TOP, resolution, resolution), **profile) as target:
        target.write(numbers, 1)
    return Band.of(path, 1, 0.0001, -0.1, 0)


def scene(folder: Path, truth: Mapping[str, npt.NDArray[np.float64]]) -> Scene:
    """What a sensor with the published MTFs makes of the ground, as numbers with an offset of 1000."""
    bands = {}
    for name, resolution in RESOLUTION.items():
        seen = truth[name] if resolution == 10 else degrade(truth[name], resolution // 10, MTF[name])
        numbers = np.where(np.isfinite(seen), np.rint((np.nan_to_num(seen) + 0.1) * 10000), 0)
        bands[name] = write(folder, name, numbers.astype(np.uint16), resolution)
    return Scene("2022-06-01", "L2A", bands)


def image(found: Scene, name: str) -> npt.NDArray[np.float32]:
    return radiometry.on_grid(found.bands[name], raster.grid(found.bands["B2"].path)).compute()


def error(found: npt.NDArray[np.floating], truth: npt.NDArray[np.floating]) -> float:
    inside = np.s_[12:-12, 12:-12]
    return float(np.sqrt(np.mean((found[inside] - truth[inside]) ** 2)))


def test_the_files_hold_the_detail_and_are_gone_afterwards(tmp_path: Path) -> None:
    truth = ground()
    given = scene(tmp_path / "in", truth)
    work = tmp_path / "work"
    with sharpen_scene(given, work) as found:
        assert list(found.bands) == list(given.bands)
        for name in RESOLUTION:
            assert grids.same(raster.grid(found.bands[name].path), raster.grid(given.bands["B2"].path))
        for name in FINE:
            assert found.bands[name] == given.bands[name]
        for name in MIXTURE:
            interpolated, sharp = image(given, name), image(found, name)
            assert error(sharp, truth[name]) < 0.2 * error(interpolated, truth[name]), name
        # the same numbers as those of arrays that never were a file
        fine = np.stack([image(given, name) for name in FINE])
        for ratio, names in ((2, ["B5", "B11"]), (6, ["B9"])):
            coarse = np.stack(
                [radiometry.on_grid(given.bands[n], raster.grid(given.bands[n].path)).compute() for n in names]
            )
            expected = sharpen(fine, coarse, ratio=ratio, mtf_coarse=[MTF[n] for n in names])
            for name, band in zip(names, expected, strict=True):
                np.testing.assert_array_equal(image(found, name), band)
    assert not list(work.iterdir())


def test_what_is_not_known_is_missing_there_and_nowhere_else(tmp_path: Path) -> None:
    truth = ground()
    truth["B4"][30:40, 50:70] = np.nan
    truth["B11"][100:120, 100:120] = np.nan
    with sharpen_scene(scene(tmp_path / "in", truth), tmp_path / "work") as found:
        for name in ("B5", "B11"):
            missing = np.isnan(truth["B4"])
            if name == "B11":
                coarse = degrade(truth["B11"], 2, MTF["B11"])
                missing = missing | np.isnan(coarse).repeat(2, axis=0).repeat(2, axis=1)
            np.testing.assert_array_equal(np.isnan(image(found, name)), missing, err_msg=name)


def test_one_resolution_is_left_alone_and_cirrus_is_not_sharpened(tmp_path: Path) -> None:
    given = scene(tmp_path / "in", ground())
    fine = dataclasses.replace(given, bands={name: given.bands[name] for name in FINE})
    with sharpen_scene(fine, tmp_path / "work") as found:
        assert found is fine
    cirrus = dataclasses.replace(given, bands={**fine.bands, "B10": given.bands["B9"], "B5": given.bands["B5"]})
    with sharpen_scene(cirrus, tmp_path / "work") as found:
        assert found.bands["B10"] == given.bands["B9"]
        assert found.bands["B5"] != given.bands["B5"]


def test_a_missing_fine_band_and_grids_that_do_not_nest_are_refused(tmp_path: Path) -> None:
    given = scene(tmp_path / "in", ground())
    less = dataclasses.replace(given, bands={n: b for n, b in given.bands.items() if n not in ("B3", "B8")})
    with pytest.raises(LulcError, match=r"lacks B3, B8\. Set sharpen: none"), sharpen_scene(less, tmp_path):
        pass
    numbers = np.ones((SIZE // 2, SIZE // 2), np.uint16)
    moved = write(tmp_path / "moved", "B5", numbers, 20, left=LEFT + 10)
    cut = write(tmp_path / "cut", "B5", numbers[:-1], 20)
    for odd in (moved, cut):
        with (
            pytest.raises(LulcError, match=r"Band B5 .* do not nest(?s:.*)the band: (?s:.*)10 m grid: "),
            sharpen_scene(dataclasses.replace(given, bands={**given.bands, "B5": odd}), tmp_path / "work"),
        ):
            pass
    assert not (tmp_path / "work").exists() or not list((tmp_path / "work").iterdir())


def test_a_failure_leaves_no_files(tmp_path: Path) -> None:
    given = scene(tmp_path / "in", ground())
    whole = given.bands["B11"].path.read_bytes()
    given.bands["B11"].path.write_bytes(whole[: len(whole) // 2])
    with (
        pytest.raises(LulcError, match=r"B11\.tif could not be read to its end"),
        sharpen_scene(given, tmp_path / "work"),
    ):
        pass
    assert not list((tmp_path / "work").iterdir())
