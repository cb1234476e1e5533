"""Rasters as people have them, against the numbers they were written with."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.enums import ColorInterp

from lulc_kit import files
from lulc_kit.errors import LulcError
from lulc_kit.intake import rasters

SHAPE = (7, 5)
NORTH_UP = Affine(10, 0, 500000, 0, -10, 5800000)


def write(path: Path, data: np.ndarray, affine: Affine = NORTH_UP, crs: str = "EPSG:32633", **more: object) -> Path:
    data = data[None] if data.ndim == 2 else data
    with rasterio.open(
        path, "w", driver="GTiff", dtype=data.dtype, count=len(data), height=data.shape[1], width=data.shape[2],
        crs=crs, transform=affine, **more,
    ) as out:  # fmt: skip
        out.write(data)
    return path


def turned(down: int, right: int) -> Affine:
    """Return the grid of the same ground, stored from south or from east."""
    rows, columns = SHAPE
    left, top = (columns * 10 if right < 0 else 0), (rows * 10 if down < 0 else 0)
    return Affine(10 * right, 0, 500000 + left, 0, -10 * down, 5800000 - top)


def everything(path: Path) -> np.ndarray:
    with rasterio.open(path) as source:
        assert source.transform.almost_equals(NORTH_UP)
        return source.read()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    dtype=st.sampled_from(["uint8", "int16", "uint16", "float32", "float64"]),
    down=st.sampled_from([1, -1]),
    right=st.sampled_from([1, -1]),
    nodata=st.sampled_from([None, 0, 7]),
    bands=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_whatever_the_orientation_the_numbers_lie_where_they_lie(
    dtype: str, down: int, right: int, nodata: int | None, bands: int, seed: int, tmp_path: Path
) -> None:
    truth = np.random.default_rng(seed).integers(0, 20, (bands, *SHAPE)).astype(dtype)
    path = write(tmp_path / "a.tif", truth[:, ::down, ::right], turned(down, right), nodata=nodata)
    found = rasters.describe(path)
    assert found.plain == ((down, right) == (1, 1))
    assert found.geobox.affine.almost_equals(NORTH_UP)
    assert {b.dtype for b in found.bands} == {dtype}
    assert {b.nodata for b in found.bands} == {nodata}
    np.testing.assert_array_equal(rasters.read(found, bands, slice(1, 4), slice(2, 5)), truth[-1, 1:4, 2:5])
    usable = rasters.plain(found, path, tmp_path / "study")
    assert (usable == path) == found.plain
    np.testing.assert_array_equal(everything(usable), truth)
    with rasterio.open(usable) as source:
        assert set(source.nodatavals) == {nodata}


def test_a_mask_or_alpha_band_becomes_nodata(tmp_path: Path) -> None:
    truth = np.arange(35, dtype=np.uint16).reshape(SHAPE)
    hidden = truth % 4 == 0
    path = write(tmp_path / "mask.tif", truth)
    with rasterio.open(path, "r+") as source:
        source.write_mask(~hidden)
    alpha = np.stack([truth, np.where(hidden, 0, 65535).astype(np.uint16)])
    write(tmp_path / "alpha.tif", alpha)
    with rasterio.open(tmp_path / "alpha.tif", "r+") as source:
        source.colorinterp = [ColorInterp.gray, ColorInterp.alpha]
    for name in ("mask.tif", "alpha.tif"):
        found = rasters.describe(tmp_path / name)
        assert len(found.bands) == 1 and found.bands[0].masked
        with rasterio.open(rasters.plain(found, tmp_path / name, tmp_path / "study")) as source:
            data = source.read(1)
            assert source.nodata == 65535
        np.testing.assert_array_equal(data == 65535, hidden)
        np.testing.assert_array_equal(data[~hidden], truth[~hidden])


def test_a_variable_for_each_band(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    truth = {name: random.integers(1, 9000, SHAPE).astype("int16") for name in ("B2", "B3")}
    y, x = 5800000 - 5 - 10.0 * np.arange(7), 500000 + 5 + 10.0 * np.arange(5)
    cube = xr.Dataset(
        {name: (("y", "x"), data[::-1], {"grid_mapping": "crs"}) for name, data in truth.items()},
        coords={
            "y": ("y", y[::-1], {"standard_name": "projection_y_coordinate", "units": "m"}),
            "x": ("x", x, {"standard_name": "projection_x_coordinate", "units": "m"}),
        },
    )
    cube["crs"] = ((), 0, {"crs_wkt": CRS.from_epsg(32633).to_wkt(), "spatial_ref": CRS.from_epsg(32633).to_wkt()})
    cube.to_netcdf(tmp_path / "cube.nc")
    found = rasters.describe(tmp_path / "cube.nc")
    assert [b.name for b in found.bands] == ["B2", "B3"]
    np.testing.assert_array_equal(
        everything(rasters.plain(found, tmp_path / "cube.nc", tmp_path / "study")), np.stack(list(truth.values()))
    )
    name = f'NETCDF:"{tmp_path / "cube.nc"}":B3'
    assert files.located(name) == tmp_path / "cube.nc"
    one = rasters.describe(name)
    np.testing.assert_array_equal(everything(rasters.plain(one, name, tmp_path / "one"))[0], truth["B3"])


def test_what_was_understood_is_a_table(tmp_path: Path) -> None:
    data = np.arange(35, dtype=np.float32).reshape(SHAPE)
    data[0, 0], data[0, 1], data[0, 2] = np.inf, np.nan, -9999
    path = write(tmp_path / "a.tif", data, nodata=-9999)
    row = rasters.record(rasters.describe(path), path).iloc[0]
    assert (row["CRS"], row["pixel"], row["type"], row["nodata"], row["nodata from"]) == (
        "EPSG:32633", "10 metre", "float32", -9999, "the file",
    )  # fmt: skip
    assert (row["missing, %"], row["lowest"], row["highest"]) == (round(300 / 35, 2), 3, 34)


@pytest.mark.parametrize(
    ("crs", "says"),
    [(None, "has no CRS"), ('LOCAL_CS["Arbitrary",UNIT["metre",1]]', "tied to no place on the earth")],
)
def test_a_crs_that_says_nothing_is_refused(tmp_path: Path, crs: str, says: str) -> None:
    path = write(tmp_path / "a.tif", np.ones(SHAPE, np.uint8), crs=crs)
    with pytest.raises(LulcError, match=says):
        rasters.describe(path)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(LulcError, match=r"x\.tif does not exist. Check the path in 04_features"):
        rasters.describe(tmp_path / "x.tif", "04_features.yaml")
    (tmp_path / "x.tif").write_bytes(b"II*\0 and no more")
    with pytest.raises(LulcError, match="is not a raster that GDAL can read"):
        rasters.describe(tmp_path / "x.tif")
