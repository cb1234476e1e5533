"""Rasters as people have them, against the numbers they were written with."""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import rasterio
import xarray as xr
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.control import GroundControlPoint as Corner
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.rpc import RPC

from lulc_kit import files, raster
from lulc_kit.errors import LulcError
from lulc_kit.intake import rasters
from lulc_kit.raster import warping

SHAPE = (7, 5)
X, Y = [1.0] + [0.0] * 19, [0.0] * 19 + [1.0]  # coefficients of a camera model
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


@st.composite
def files_of_users(draw: st.DrawFn) -> dict[str, Any]:
    """Draw all that a plain GeoTIFF may say, and how it is stored."""
    dtype = draw(
        st.sampled_from(["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "float32", "float64"])
    )
    count = draw(st.integers(1, 4))
    numbers = st.lists(st.sampled_from([1.0, 0.5, 0.0001, -2.0]), min_size=count, max_size=count)
    floating = dtype.startswith("float")
    return {
        "dtype": dtype,
        "turned": (draw(st.sampled_from([1, -1])), draw(st.sampled_from([1, -1]))),
        "nodata": draw(st.sampled_from([None, 0, 7, *([float("nan"), -9999.0] if floating else [])])),
        "hides": draw(st.sampled_from(["nothing", "mask", "alpha"])),
        "names": draw(st.lists(st.sampled_from(["B2", "b03", "Höhe", ""]), min_size=count, max_size=count)),
        "scales": draw(numbers),
        "offsets": draw(numbers),
        "crs": draw(st.sampled_from(["EPSG:32633", "EPSG:3035", "EPSG:25833", "EPSG:2263", "EPSG:3857"])),
        "seed": draw(st.integers(0, 1000)),
    }


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=files_of_users())
def test_whatever_a_file_says_it_is_read_as_rasterio_reads_it(said: dict[str, Any], tmp_path: Path) -> None:
    """Numbers, where they lie and where they are missing, names, types, scales, offsets: the file's and a copy's."""
    count, (down, right) = len(said["names"]), said["turned"]
    random = np.random.default_rng(said["seed"])
    truth = random.integers(0, 20, (count, *SHAPE)).astype(said["dtype"])
    if truth.dtype.kind == "f":
        truth[random.random(truth.shape) < 0.1] = np.nan
    hidden = (random.random(SHAPE) < 0.3) & (said["hides"] != "nothing")
    shown = np.where(hidden, 0, np.iinfo(said["dtype"]).max if truth.dtype.kind != "f" else 1).astype(said["dtype"])
    bands = np.concatenate([truth, shown[None]]) if said["hides"] == "alpha" else truth
    nodata = None if said["hides"] == "mask" else said["nodata"]  # GeoTIFF has one or the other
    where = turned(down, right)
    path = write(tmp_path / "a.tif", bands[:, ::down, ::right], where, said["crs"], nodata=nodata)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as source:
        source.descriptions = (*said["names"], *["alpha"] * (len(bands) - count))
        source.scales = (*said["scales"], *[1.0] * (len(bands) - count))
        source.offsets = (*said["offsets"], *[0.0] * (len(bands) - count))
        # Otherwise GDAL takes the last of four bands of 8 bits for transparency.
        last = [ColorInterp.alpha] if said["hides"] == "alpha" else []
        source.colorinterp = [*[ColorInterp.undefined] * count, *last]
        if said["hides"] == "mask":
            source.write_mask(~hidden[::down, ::right])

    found = rasters.describe(path)
    assert (found.geobox.crs, found.geobox.affine) == (said["crs"], NORTH_UP)
    assert [b.name for b in found.bands] == [n or f"band_{k}" for k, n in enumerate(said["names"], 1)]
    assert [(b.dtype, b.scale, b.offset) for b in found.bands] == [
        (said["dtype"], *pair) for pair in zip(said["scales"], said["offsets"], strict=True)
    ]
    assert {repr(b.nodata) for b in found.bands} == {repr(None if nodata is None else float(nodata))}
    for k in range(count):
        block = rasters.read(found, k + 1, slice(1, 6), slice(0, 4))
        np.testing.assert_array_equal(np.ma.getdata(block), truth[k, 1:6, 0:4])
        np.testing.assert_array_equal(np.ma.getmaskarray(block), hidden[1:6, 0:4])

    usable = rasters.plain(found, path, tmp_path / "study")
    assert (usable == path) == found.plain == (said["turned"] == (1, 1) and said["hides"] == "nothing")
    with rasterio.open(usable) as source:
        assert source.transform.almost_equals(NORTH_UP)
        assert (source.crs, source.scales, source.offsets) == (
            CRS.from_string(said["crs"]), tuple(said["scales"]), tuple(said["offsets"]),
        )  # fmt: skip
        data = np.ma.masked_invalid(source.read(masked=True).astype(float))
    missing = np.broadcast_to(hidden, truth.shape) | np.isnan(truth.astype(float))
    if nodata is not None:
        missing = missing | (truth == nodata)
    np.testing.assert_array_equal(np.ma.getmaskarray(data), missing)
    np.testing.assert_array_equal(data[~missing].data, truth[~missing].astype(float))


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


@pytest.mark.parametrize(("dtype", "wider"), [("uint8", "int16"), ("uint16", "int32"), ("int32", "float64")])
def test_where_no_number_is_left_for_nodata_a_wider_type_has_one(tmp_path: Path, dtype: str, wider: str) -> None:
    full = np.iinfo(dtype)
    truth = np.roll(np.linspace(full.min, full.max, 35).astype(dtype), 2).reshape(SHAPE)  # its extremes are shown
    hidden = np.eye(*SHAPE, dtype=bool)
    path = write(tmp_path / "mask.tif", truth)
    with rasterio.open(path, "r+") as source:
        source.write_mask(~hidden)
    with rasterio.open(rasters.plain(rasters.describe(path), path, tmp_path / "study")) as source:
        data = source.read(1, masked=True)
        assert source.dtypes == (wider,)
    np.testing.assert_array_equal(np.ma.getmaskarray(np.ma.masked_invalid(data)), hidden)
    np.testing.assert_array_equal(data[~hidden].data, truth[~hidden])


def test_variables_with_a_number_for_nodata_each(tmp_path: Path) -> None:
    """As netCDF's packed variables have, with scales and offsets of their own; against xarray's reading."""
    rows, columns = SHAPE
    axes = {"x": 500005.0 + 10 * np.arange(columns), "y": 5799995.0 - 10 * np.arange(rows)}
    truth = np.random.default_rng(1).uniform(0.01, 0.4, (3, *SHAPE))
    truth[0, :2, :2] = truth[2, 4:, 3:] = np.nan
    cube = xr.Dataset({f"B{k + 2}": (("y", "x"), data) for k, data in enumerate(truth)}, coords=axes)
    for axis in "xy":
        cube[axis].attrs |= {"standard_name": f"projection_{axis}_coordinate", "units": "m"}
    cube["crs"] = xr.DataArray(0, attrs=pyproj.CRS("EPSG:32633").to_cf())
    packing = {}
    for k, name in enumerate(("B2", "B3", "B4")):
        cube[name].attrs["grid_mapping"] = "crs"
        packing[name] = {
            "dtype": "int16",
            "scale_factor": 0.0001 * (k + 1),
            "add_offset": -0.1 * k,
            "_FillValue": -1 - k,
        }
    cube.to_netcdf(tmp_path / "a.nc", engine="h5netcdf", encoding=packing)
    found = rasters.describe(tmp_path / "a.nc")
    with rasterio.open(rasters.plain(found, tmp_path / "a.nc", tmp_path / "study")) as source:
        numbers = source.read(masked=True).astype(float).filled(np.nan)
        values = numbers * np.array(source.scales)[:, None, None] + np.array(source.offsets)[:, None, None]
    with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as read:
        np.testing.assert_allclose(values, np.stack([read[name] for name in ("B2", "B3", "B4")]), atol=1e-12)
    assert np.isnan(values).sum() == np.isnan(truth).sum()
    single = [f"NETCDF:{tmp_path / 'a.nc'}:{name}" for name in ("B2", "B3", "B4")]
    copies = [rasters.plain(rasters.describe(name), name, tmp_path / "study") for name in single]
    for path, numbers_ in zip(copies, numbers, strict=True):
        with rasterio.open(path) as source:
            np.testing.assert_array_equal(source.read(1, masked=True).astype(float).filled(np.nan), numbers_)


def test_files_of_one_name_have_a_copy_each(tmp_path: Path) -> None:
    copies = []
    for k in (1, 2):
        (tmp_path / str(k)).mkdir()
        path = write(tmp_path / f"{k}/a.tif", np.full(SHAPE, k, np.int16), turned(-1, 1))
        copies.append(rasters.plain(rasters.describe(path), path, tmp_path / "study"))
    assert [int(everything(path).mean()) for path in copies] == [1, 2]


def test_an_alpha_band_counts_beside_any_number_of_bands(tmp_path: Path) -> None:
    """GDAL's own mask knows it only beside one band or three."""
    truth = np.random.default_rng(1).integers(1, 9000, (6, *SHAPE)).astype(np.uint16)
    alpha = np.where(np.eye(*SHAPE, dtype=bool), 0, 65535).astype(np.uint16)
    path = write(tmp_path / "a.tif", np.concatenate([truth, alpha[None]]))
    with rasterio.open(path, "r+") as source:
        source.colorinterp = [ColorInterp.gray, *[ColorInterp.undefined] * 5, ColorInterp.alpha]
    found = rasters.describe(path)
    assert [b.masked for b in found.bands] == [True] * 6
    copied = everything(rasters.plain(found, path, tmp_path / "study"))
    np.testing.assert_array_equal(copied, np.where(alpha == 0, 65535, truth))


def test_the_last_of_four_bands_of_8_bits_is_no_alpha_band_if_it_has_a_name(tmp_path: Path) -> None:
    truth = np.random.default_rng(1).integers(0, 256, (4, *SHAPE)).astype(np.uint8)
    path = write(tmp_path / "a.tif", truth)
    with rasterio.open(path, "r+") as source:
        assert source.colorinterp[3] == ColorInterp.alpha, "GDAL's own default"
        source.descriptions = ("B2", "B3", "B4", "B8")
    found = rasters.describe(path)
    assert [b.name for b in found.bands] == ["B2", "B3", "B4", "B8"] and not any(b.masked for b in found.bands)
    with rasterio.open(rasters.plain(found, path, tmp_path / "study")) as source:
        assert ColorInterp.alpha not in source.colorinterp, "or GDAL would warp with it"
        np.testing.assert_array_equal(source.read(), truth)


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
    assert files.locate(name) == tmp_path / "cube.nc"
    one = rasters.describe(name)
    np.testing.assert_array_equal(everything(rasters.plain(one, name, tmp_path / "one"))[0], truth["B3"])


def test_what_was_understood_is_a_table(tmp_path: Path) -> None:
    data = np.arange(35, dtype=np.float32).reshape(SHAPE)
    data[0, 0], data[0, 1], data[0, 2] = np.finfo(np.float32).min, np.nan, -9999
    path = write(tmp_path / "a.tif", data, nodata=-9999)
    with rasterio.open(path, "r+") as source:
        source.scales, source.offsets, source.units = [0.5], [-0.1], ["ft"]
    (row,) = rasters.look(path)[1]
    assert (row["CRS"], row["pixel"], row["type"], row["nodata"], row["nodata from"]) == (
        "EPSG:32633", "10 metre", "float32", -9999, "the file",
    )  # fmt: skip
    assert (row["missing, %"], row["lowest"], row["highest"]) == (round(300 / 35, 2), 3, 34)
    assert row["values"] == "number × 0.5 − 0.1, ft"


@pytest.mark.parametrize(
    ("crs", "says"),
    [(None, "has no CRS"), ('LOCAL_CS["Arbitrary",UNIT["metre",1]]', "tied to no place on the earth")],
)
def test_a_crs_that_says_nothing_is_refused(tmp_path: Path, crs: str, says: str) -> None:
    path = write(tmp_path / "a.tif", np.ones(SHAPE, np.uint8), crs=crs)
    with pytest.raises(LulcError, match=says):
        rasters.describe(path)


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ({"crs": "EPSG:32633"}, "not where in it its corner lies"),
        (
            {"crs": "EPSG:32633", "gcps": [Corner(r, c, 5e5 + c, 58e5 - r) for r in (0, 7) for c in (0, 5)]},
            "control points",
        ),
        (
            {"rpcs": RPC(0, 1, 0, 1, [1] + [0] * 19, [0] * 19 + [1], 0, 1, 0, 1, [1] + [0] * 19, [0] * 19 + [1], 0, 1)},
            "RPC",
        ),
        ({}, "has no CRS"),
    ],
)
def test_a_file_that_lies_on_no_grid_is_refused(tmp_path: Path, profile: dict[str, object], says: str) -> None:
    size = {"driver": "GTiff", "dtype": "uint8", "count": 1, "height": 7, "width": 5}
    with rasterio.open(tmp_path / "a.tif", "w", **size, **profile) as out:
        out.write(np.ones((1, *SHAPE), np.uint8))
    with pytest.raises(LulcError, match=says):
        rasters.describe(tmp_path / "a.tif")


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(LulcError, match=r"x\.tif does not exist. Check the path in 04_features"):
        rasters.describe(tmp_path / "x.tif", "04_features.yaml")
    (tmp_path / "x.tif").write_bytes(b"II*\0 and no more")
    with pytest.raises(LulcError, match=r"is not a raster that GDAL can read.*copy or download it again"):
        rasters.describe(tmp_path / "x.tif")
    (tmp_path / "x.zip").write_bytes(b"PK")
    with pytest.raises(LulcError, match=r"is not a raster that GDAL can read.*Unpack it"):
        rasters.describe(tmp_path / "x.zip")


@pytest.mark.parametrize("angle", [30, 90, 120, 180, 200, 300])
def test_a_rotated_raster_stays_where_it_lies(tmp_path: Path, angle: float) -> None:
    """Whichever way its rows and columns run: numbers that say where they are, on a grid with north up."""
    # Far enough around the middle of the grid that its corners are inside, however it is turned.
    where = Affine.translation(500025, 5799965) * Affine.rotation(angle) * Affine.scale(10, -10)
    where = where * Affine.translation(-20, -20)
    rows, columns = np.mgrid[:40, :40] + 0.5
    east, north = where * (columns, rows)
    path = write(tmp_path / "a.tif", (east - 499000 + 2 * (north - 5799000)).astype(np.float32), where)
    found = rasters.describe(path)
    grid = GeoBox(SHAPE, NORTH_UP, "EPSG:32633")
    got = warping.warp(rasters.plain(found, path, tmp_path / "study"), grid).compute()
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    east, north = NORTH_UP * (columns, rows)
    np.testing.assert_allclose(got, east - 499000 + 2 * (north - 5799000), atol=0.01)


@pytest.mark.parametrize(("scale", "offset"), [(0.0, 0.0), (float("nan"), 0.0), (1.0, float("inf"))])
def test_a_scale_that_makes_no_values_is_refused(tmp_path: Path, scale: float, offset: float) -> None:
    path = write(tmp_path / "a.tif", np.ones(SHAPE, np.uint8))
    with rasterio.open(path, "r+") as source:
        source.scales, source.offsets = [scale], [offset]
    with pytest.raises(LulcError, match=r"band 1 says that its numbers mean number × .*no values.*gdal_edit"):
        rasters.describe(path)


def test_metres_that_a_file_calls_degrees_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.ones(SHAPE, np.uint8), crs="EPSG:4326")
    with pytest.raises(LulcError, match="are degrees .*, but they reach from 500000, 5799930 to 500050, 5800000"):
        rasters.describe(path)


@pytest.mark.parametrize("hides", [False, True])
def test_a_number_for_nodata_that_the_type_cannot_hold_means_no_pixel(tmp_path: Path, hides: bool) -> None:
    truth = np.arange(35, dtype=np.uint16).reshape(SHAPE) + 65501  # all the way to the last number of the type
    path = write(tmp_path / "a.tif", truth[::-1], turned(-1, 1))
    hidden = np.eye(*SHAPE, dtype=bool) & hides
    if hides:
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as source:
            source.write_mask(~hidden[::-1])
    copied = rasters.plain(rasters.describe(path), path, tmp_path / "study", -9999.0)
    with rasterio.open(copied) as source:
        data = source.read(1, masked=True)
    np.testing.assert_array_equal(np.ma.getmaskarray(data), hidden)
    np.testing.assert_array_equal(data[~hidden].data, truth[~hidden])


def test_the_times_of_a_variable_are_known(tmp_path: Path) -> None:
    axes = {"x": 500005.0 + 10 * np.arange(5), "y": 5799995.0 - 10 * np.arange(7), "t": [18000, 18030]}
    cube = xr.Dataset({"B2": (("t", "y", "x"), np.ones((2, *SHAPE), np.int16), {"grid_mapping": "crs"})}, coords=axes)
    cube["t"].attrs["units"] = "days since 1970-01-01"
    cube["crs"] = xr.DataArray(0, attrs=pyproj.CRS("EPSG:32633").to_cf())
    for axis in "xy":
        cube[axis].attrs |= {"standard_name": f"projection_{axis}_coordinate", "units": "m"}
    cube.to_netcdf(tmp_path / "a.nc")
    found = rasters.describe(tmp_path / "a.nc").bands
    assert [b.moment for b in found] == ["18000 days since 1970-01-01", "18030 days since 1970-01-01"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes in folders")
def test_a_folder_or_a_pipe_is_no_raster(tmp_path: Path) -> None:
    with pytest.raises(LulcError, match="It is a folder: name a file in it"):
        rasters.describe(tmp_path)
    os.mkfifo(tmp_path / "a.tif")
    with pytest.raises(LulcError, match="neither a file nor a folder"):
        rasters.describe(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("https://example.org/a.tif", r"^https://example\.org/a\.tif is an address\. .*fetch it first"),
        ("/vsis3/bucket/a.tif", "is an address"),
        ("s3://bucket/a.tif", "is an address"),
        ("C:/data/a.tif", "does not exist"),
        ("a" * 5000, r"^a{500} does not exist"),
    ],
)
def test_names_of_no_file_on_this_computer(name: str, says: str) -> None:
    with pytest.raises(LulcError, match=says):
        rasters.describe(name)


def test_a_variable_of_a_zarr_store_that_holds_only_the_crs_is_no_band(tmp_path: Path) -> None:
    rows, columns = SHAPE
    crs = {"_CRS": {"wkt": CRS.from_epsg(32633).to_wkt()}}
    numbers = np.arange(2 * rows * columns, dtype=np.int16).reshape(2, rows, columns)
    named = {name: (("y", "x"), band, crs) for name, band in zip(("B2", "B4"), numbers, strict=True)}
    centres = {"y": 5_800_000 - 5 - 10.0 * np.arange(rows), "x": 500_000 + 5 + 10.0 * np.arange(columns)}
    made = xr.Dataset({**named, "spatial_ref": ((), 0)}, coords=centres)
    made.to_zarr(tmp_path / "c.zarr", zarr_format=2)
    found = rasters.describe(tmp_path / "c.zarr")
    assert [band.name for band in found.bands] == ["B2", "B4"]
    np.testing.assert_array_equal(rasters.read(found, 2, slice(0, rows), slice(0, columns)), numbers[1])


def test_shapes_where_a_raster_is_expected_are_called_so(tmp_path: Path) -> None:
    (tmp_path / "m.gpkg").write_bytes(b"SQLite format 3\x00")
    with pytest.raises(LulcError, match="It holds shapes: make pixels of them"):
        rasters.describe(tmp_path / "m.gpkg")


def test_a_mosaic_names_the_file_that_it_misses(tmp_path: Path) -> None:
    there = tmp_path / "there.tif"
    with rasterio.open(there, "w", driver="GTiff", height=3, width=4, count=1, dtype="uint8", crs=32633) as file:
        file.write(np.arange(12, dtype=np.uint8).reshape(1, 3, 4))
    text = f"""<VRTDataset rasterXSize="4" rasterYSize="3"><SRS>EPSG:32633</SRS>
    <GeoTransform>0,10,0,30,0,-10</GeoTransform><VRTRasterBand dataType="Byte" band="1"><SimpleSource>
    <SourceFilename>{there}</SourceFilename><SourceBand>1</SourceBand><SrcRect xOff="0" yOff="0" xSize="4" ySize="3"/>
    <DstRect xOff="0" yOff="0" xSize="4" ySize="3"/></SimpleSource></VRTRasterBand></VRTDataset>"""
    (tmp_path / "all.vrt").write_text(text)
    assert rasters.look(tmp_path / "all.vrt")[1][0]["highest"] == 11
    there.unlink()
    with pytest.raises(LulcError, match=r"all\.vrt is put together from other files.*there\.tif"):
        rasters.look(tmp_path / "all.vrt")


def test_a_store_without_crs_gets_a_remedy_that_its_format_knows(tmp_path: Path) -> None:
    centres = {"y": 5_800_000.0 - 10 * np.arange(3), "x": 500_000.0 + 10 * np.arange(4)}
    made = xr.Dataset({"B2": (("y", "x"), np.ones((3, 4), np.int16))}, coords=centres)
    made.to_zarr(tmp_path / "c.zarr", zarr_format=2)
    with pytest.raises(LulcError, match="gdal_translate -a_srs"):
        rasters.describe(tmp_path / "c.zarr")


def test_what_the_file_and_what_the_parameter_says_both_mean_nodata(tmp_path: Path) -> None:
    numbers = np.arange(1, 13, dtype=np.int16).reshape(3, 4)
    numbers[0, 0], numbers[2, 3] = -9999, 0
    path = write(tmp_path / "a.tif", numbers, nodata=-9999)
    found = rasters.describe(path)
    with pytest.warns(UserWarning, match=r"a\.tif says that -9999 means nodata, and the parameter nodata says 0: both"):
        copied = rasters.plain(found, path, tmp_path / "copies", 0)
    with rasterio.open(copied) as file:
        missing = file.read(1) == file.nodata
    np.testing.assert_array_equal(missing, (numbers == 0) | (numbers == -9999))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert rasters.plain(found, path, tmp_path / "copies", -9999) == path
        assert rasters.plain(found, path, tmp_path / "copies") == path
        whole = write(tmp_path / "b.tif", np.abs(numbers), nodata=-9999)  # declared, and no pixel has it
        assert rasters.plain(rasters.describe(whole), whole, tmp_path / "copies", 0) == whole


def test_any_band_may_have_what_the_file_calls_nodata_and_the_parameter_does_not(tmp_path: Path) -> None:
    numbers = np.arange(1, 25, dtype=np.int16).reshape(2, 3, 4)
    numbers[0, 0, 0] = -9999
    path = write(tmp_path / "a.tif", numbers, nodata=-9999)
    for nodata in (0, np.nan):  # which no whole number is
        with pytest.warns(UserWarning, match="both are taken for missing"):
            copied = rasters.plain(rasters.describe(path), path, tmp_path / f"copies{nodata}", nodata)
        with rasterio.open(copied) as file:
            np.testing.assert_array_equal(file.read() == file.nodata, numbers == -9999)


def test_what_lies_beside_a_link_says_what_the_file_is(tmp_path: Path) -> None:
    """As DVC, git-annex and other stores keep files: the numbers elsewhere, under another name."""
    (tmp_path / "store").mkdir()
    store = write(tmp_path / "store/1a2b.tif", np.array([[[0, 5], [6, 7]]], np.int16))
    link = tmp_path / "dem.tif"
    link.symlink_to(store)
    text = "<PAMDataset><PAMRasterBand band='1'><NoDataValue>0</NoDataValue></PAMRasterBand></PAMDataset>"
    (tmp_path / "dem.tif.aux.xml").write_text(text)
    plain = rasters.plain(rasters.describe(link), link, tmp_path / "copies")
    assert plain == link
    assert np.isnan(raster.read(plain).to_numpy()[0, 0, 0])
    assert np.isnan(warping.warp(plain, raster.grid(plain).pad(1)).compute()[1, 1])
