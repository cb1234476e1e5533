"""The network of others: what it is given, what is kept of it, and what it finds where the clouds are known."""

import builtins
import importlib.util
from typing import Any

import numpy as np
import pytest
import rasterio

from lulc_kit import raster
from lulc_kit.catalog import Band, Catalog, Scene
from lulc_kit.cube import Reason
from lulc_kit.errors import BandError, LulcError
from lulc_kit.preprocess import builder, csmask
from lulc_kit.preprocess.grid import study_grid
from tests.rasters import write

needs_network = pytest.mark.skipif(
    importlib.util.find_spec("ukis_csmask") is None or importlib.util.find_spec("onnxruntime") is None,
    reason="the extra csmask is not installed (ukis-csmask, onnxruntime)",
)
SIX = list(csmask.NAMES)


def test_six_bands_if_they_are_there_otherwise_four() -> None:
    assert csmask.choose_bands(["B1", "B12", "B11", "B8", "B4", "B3", "B2"]) == SIX
    assert csmask.choose_bands(["B2", "B3", "B4", "B8", "B11"]) == SIX[:4]
    with pytest.raises(BandError, match="B8 missing"):
        csmask.choose_bands(["B2", "B3", "B4", "B8A"])


def test_larger_pixels_are_means_of_what_there_is() -> None:
    image = np.arange(2 * 5 * 7, dtype=np.float64).reshape(2, 5, 7)
    image[0, 0, 0] = np.nan
    image[0, 3:, 3:6] = np.nan
    found = csmask.coarsen(image, factor=3)
    assert found.shape == (2, 2, 3) and found.dtype == np.float32
    assert found[1, 0, 0] == image[1, :3, :3].mean()
    assert found[0, 0, 0] == pytest.approx(np.nanmean(image[0, :3, :3]))
    assert np.isnan(found[0, 1, 1]) and found[0, 1, 2] == image[0, 3:, 6].mean()


def test_without_the_extra_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name.startswith("ukis"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(LulcError, match=r"pip install .*ukis-csmask\[cpu\]"):
        csmask.import_package()


def sky(side: int = 150) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Fields under scattered cloud, top of the atmosphere, at 30 m: six bands, and where there is cloud."""
    rng = np.random.default_rng(3)
    field, cloud = (0.11, 0.10, 0.09, 0.28, 0.22, 0.14), (0.52, 0.51, 0.52, 0.58, 0.47, 0.38)
    y, x = np.mgrid[:side, :side]
    thickness = np.zeros((side, side))
    for row, column, radius in ((40, 40, 22), (60, 110, 16), (115, 50, 14)):
        thickness = np.maximum(thickness, np.clip(1.4 * (1 - np.hypot(y - row, x - column) / radius), 0, 1))
    thickness *= 1 - 0.1 * rng.random((side, side))
    plots = 1 + 0.15 * rng.standard_normal((side // 15, side // 15)).repeat(15, axis=0).repeat(15, axis=1)
    ground = np.array(field)[:, None, None] * plots
    image = ground + thickness * (np.array(cloud)[:, None, None] - ground)
    return image + rng.normal(0, 0.002, image.shape), thickness > 0.3


@needs_network
@pytest.mark.parametrize(("level", "bands"), [("L1C", SIX), ("L2A", SIX[:4])])
def test_mask_and_probabilities_of_a_scene_whose_clouds_are_known(tmp_path: Any, level: str, bands: list[str]) -> None:
    """On 10 m bands of which each 30 m of the network are one cell of the picture, but for the rim."""
    image, cloud = (np.asarray(a).repeat(3, axis=-2).repeat(3, axis=-1)[..., :-1] for a in sky())
    numbers = np.rint(image[: len(bands)] * 10_000).astype(np.uint16)
    numbers[:, :33, -32:] = 0
    path = write(tmp_path / "dn.tif", numbers, 10.0)
    described = {name: Band.of(path, k, 0.0001, 0.0, 0) for k, name in enumerate(bands, 1)}
    catalog = Catalog([Scene("2022-06-15", level, described)])
    builder.build(catalog, study_grid(catalog), tmp_path / "cube", mask="csmask", trust=True)
    codes = raster.read_codes(tmp_path / "cube/2022-06-15_mask.tif").to_numpy()[0]
    with rasterio.open(tmp_path / "cube/2022-06-15_clouds.tif") as file:
        assert file.descriptions == ("cloud", "shadow") and file.shape == codes.shape == cloud.shape
        assert f"its network of {level} and {len(bands)} bands at 30 m" in file.tags()["mask"]
    likely = raster.read(tmp_path / "cube/2022-06-15_clouds.tif").to_numpy()
    there = np.ones(cloud.shape, bool)
    there[:33, -32:] = False
    assert np.isnan(likely[:, ~there]).all() and (codes[~there] == Reason.NODATA).all()
    assert likely[:, there].min() >= 0 and likely[:, there].max() <= 1
    likeliest = np.stack([1 - likely.sum(axis=0), *likely]).argmax(axis=0)
    differ = codes != np.array([Reason.CLEAR, Reason.CLOUD, Reason.SHADOW])[likeliest]
    assert (differ & there).mean() < 0.01, "kept in steps of 0.004, two of them may change places"
    if len(bands) == 6:
        found, cloud = codes == Reason.CLOUD, cloud & there
        assert 2 * (found & cloud).sum() / (found.sum() + cloud.sum()) > 0.7, "F1 of cloud"


@needs_network
def test_the_likeliest_class_is_the_one_the_package_gives() -> None:
    from ukis_csmask.mask import CSmask

    image = np.asarray(sky(270)[0][:, :, :260], np.float32)  # tiles that overlap
    found = csmask.probabilities(image, SIX, "L1C")
    theirs = CSmask(np.ascontiguousarray(np.moveaxis(image, 0, -1)), list(csmask.NAMES.values()), "l1c").csm[..., 0]
    assert 0.01 < (theirs == 1).mean() < 0.5
    np.testing.assert_array_equal(np.stack([1 - found.sum(axis=0), *found]).argmax(axis=0), theirs)
