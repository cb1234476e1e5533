"""EOPF Zarr: products constructed in its layout, in both formats of Zarr. No real one was at hand."""

import builtins
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr
import zarr

from lulc_kit import params, raster
from lulc_kit.download import products, scenes
from lulc_kit.errors import FormatError, LulcError, MissingFileError
from lulc_kit.layout import Layout
from lulc_kit.preprocess import radiometry
from lulc_kit.safe import eopf
from lulc_kit.sentinel2 import BANDS
from tests.download.test_scenes import build

NAME = "S2B_MSIL2A_20250509T100029_N0511_R122_T33UUU_20250509T155057.zarr"
LEFT, TOP, SIDE = 300_000, 5_900_040, 60  # pixels of 10 m


def numbers(name: str) -> npt.NDArray[np.uint16]:
    """Return a band's numbers: 1000 more than reflectance × 10000, 0 in a corner."""
    side = SIDE * 10 // BANDS[name].resolution
    found = np.random.default_rng(list(BANDS).index(name)).integers(1010, 6000, (side, side)).astype(np.uint16)
    found[: max(1, side // 10), : max(1, side // 10)] = 0
    return found


class Runs:
    """What writes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (self.path, "w"))


def put(group: Any, name: str, data: npt.NDArray[Any], attrs: dict[str, Any]) -> None:
    """Write an array with its dimensions' names, as xarray finds them in both formats."""
    names = ["y", "x"] if data.ndim == 2 else [name]
    dimensions: dict[str, Any] = {"dimension_names": names} if group.metadata.zarr_format == 3 else {}
    array = group.create_array(
        name,
        shape=data.shape,
        dtype=data.dtype,
        chunks=(min(16, data.shape[0]),) * data.ndim,
        fill_value=0,
        **dimensions,
    )
    array[:] = data
    array.attrs.update(attrs if dimensions else attrs | {"_ARRAY_DIMENSIONS": names})


def product(folder: Path, zarr_format: int = 2, name: str = NAME, **attrs: Any) -> Path:
    """Make a product."""
    path = folder / name
    root = zarr.create_group(path, zarr_format=zarr_format)
    root.attrs["other_metadata"] = {"horizontal_CRS_code": "EPSG:32633"}
    said = {"datetime": "2025-05-09T10:00:29.024000Z", "eo:cloud_cover": 12.5, "proj:epsg": 32633}
    root.attrs["stac_discovery"] = {"id": name.removesuffix(".zarr"), "properties": said}
    scaled = {"scale_factor": 0.0001, "add_offset": -0.1} | attrs
    groups = {r: root.require_group(f"measurements/reflectance/r{r}m") for r in (10, 20, 60)}
    groups[0] = root.require_group("conditions/mask/l2a_classification/r20m")
    for resolution, group in groups.items():
        pixel = resolution or 20
        steps = (np.arange(SIDE * 10 // pixel) + 0.5) * pixel
        put(group, "x", (LEFT + steps).astype(np.int64), {})
        put(group, "y", (TOP - steps).astype(np.int64), {})
    for band, known in BANDS.items():
        if band != "B10":
            put(groups[known.resolution], f"b{known.file_name[1:].lower()}", numbers(band), scaled)
    put(groups[0], "scl", np.full((SIDE // 2, SIDE // 2), 4, np.uint8), {})
    put(root.require_group("conditions/geometry"), "mean_sun_angles", np.array([35.5, 160.25]), {})
    return path


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_product_is_described_by_its_arrays(zarr_format: int, tmp_path: Path) -> None:
    scene = eopf.describe(product(tmp_path, zarr_format), tmp_path / "scenes")
    assert (scene.time, scene.level, scene.tile) == ("2025-05-09T10:00:29.024000Z", "L2A", "33UUU")
    assert (scene.baseline, scene.orbit, scene.platform) == ("05.11", 122, "sentinel-2b")
    assert (scene.sun_zenith, scene.sun_azimuth) == (35.5, 160.25)
    assert scene.quality == {"cloud_percentage": 12.5}
    assert set(scene.bands) == set(BANDS) - {"B10"}
    for name, band in scene.bands.items():
        assert (band.scale, band.offset, band.nodata, band.saturated) == (0.0001, -0.1, 0, 65535)
        assert band.geobox.affine[:6] == (BANDS[name].resolution, 0, LEFT, 0, -BANDS[name].resolution, TOP)
        assert band.geobox.crs == "EPSG:32633"
        np.testing.assert_array_equal(raster.read_codes(band.path).to_numpy()[0], numbers(name))
    assert scene.scl is not None and (raster.read_codes(scene.scl.path) == 4).all()


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_the_offset_is_applied_once_as_xarray_applies_it(zarr_format: int, tmp_path: Path) -> None:
    path = product(tmp_path, zarr_format)
    scene = eopf.describe(path, tmp_path / "scenes")
    theirs = xr.open_zarr(path, group="measurements/reflectance/r10m", consolidated=False, zarr_format=zarr_format)
    band = scene.bands["B4"]
    ours = radiometry.on_grid(band, band.geobox).compute()
    known = ~np.isnan(ours)
    np.testing.assert_array_equal(known, numbers("B4") != 0)
    np.testing.assert_allclose(ours[known], theirs["b04"].to_numpy()[known], atol=1e-6)
    np.testing.assert_allclose(ours[known], numbers("B4")[known] / 10000 - 0.1, atol=1e-6)


def test_arrays_that_are_decoded_to_reflectance_get_no_offset_again(tmp_path: Path) -> None:
    """As where a filter (FixedScaleOffset) decodes them, while the attributes still name scale and offset."""
    path = product(tmp_path)
    group = zarr.open_group(path / "measurements/reflectance/r10m", zarr_format=2)
    del group["b04"]
    put(
        group,
        "b04",
        (numbers("B4") * 0.0001 - 0.1).astype(np.float32),
        {"_eopf_attrs": {"scale_factor": 0.0001, "add_offset": -0.1}},
    )
    band = eopf.describe(path, tmp_path / "scenes").bands["B4"]
    assert (band.scale, band.offset) == (1, 0)
    found = radiometry.on_grid(band, band.geobox).compute()
    expected = np.where(numbers("B4") == 0, np.nan, numbers("B4") / 10000 - 0.1)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("attrs", "says"),
    [
        ({"add_offset": -1000.0}, "expected both in reflectance"),
        ({"scale_factor": 1.0}, "expected both in reflectance"),
        ({"_eopf_attrs": {"scale_factor": 0.0001, "add_offset": 0.0}}, "expected one scale_factor and add_offset"),
    ],
)
def test_an_offset_that_may_be_another_is_refused(attrs: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=says):
        eopf.describe(product(tmp_path, **attrs), tmp_path / "scenes")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    path = product(tmp_path)
    shutil.rmtree(path / "measurements/reflectance/r20m/b8a")
    with pytest.raises(MissingFileError, match="has no measurements/reflectance/r20m/b8a"):
        eopf.describe(path, tmp_path / "scenes")
    shutil.rmtree(path)
    path.mkdir()
    with pytest.raises(FormatError, match="cannot be opened as Zarr"):
        eopf.describe(path, tmp_path / "scenes")
    with pytest.raises(FormatError, match="does not carry the name"):
        eopf.describe(product(tmp_path, name="mine.zarr"), tmp_path / "scenes")
    without = product(tmp_path, name=NAME.replace("T33UUU", "T33UVU"))
    root = json.loads((without / ".zattrs").read_text())
    root["other_metadata"], root["stac_discovery"]["properties"]["proj:epsg"] = {}, None
    (without / ".zattrs").write_text(json.dumps(root))
    with pytest.raises(FormatError, match="does not say its CRS"):
        eopf.describe(without, tmp_path / "scenes")


@pytest.mark.parametrize("filters", [[{"id": "pickle", "protocol": 5}], [{"id": "json2"}], [{"id": "msgpack2"}]])
def test_packing_that_may_run_code_is_refused_before_it_is_unpacked(filters: list[Any], tmp_path: Path) -> None:
    path = product(tmp_path)
    band = path / "measurements/reflectance/r60m/b01"
    about = json.loads((band / ".zarray").read_text())
    about["filters"] = filters
    (band / ".zarray").write_text(json.dumps(about))
    marker = tmp_path / "code has run"
    for chunk in band.glob("[0-9]*"):
        chunk.write_bytes(pickle.dumps(Runs(str(marker))))
    with pytest.raises(FormatError, match=rf"b01 of .*{filters[0]['id']}"):
        eopf.describe(path, tmp_path / "scenes")
    assert not marker.exists()


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_usual_packing_is_read(zarr_format: int, tmp_path: Path) -> None:
    packed = {
        2: {"compressors": [numcodecs.Blosc("zstd", 3)]},
        3: {"compressors": [zarr.codecs.BloscCodec(cname="zstd")], "shards": (32, 32)},
    }[zarr_format]
    path = product(tmp_path, zarr_format)
    group = zarr.open_group(path / "measurements/reflectance/r10m")
    del group["b02"]
    more: dict[str, Any] = {"dimension_names": ["y", "x"]} if zarr_format == 3 else {}
    array = group.create_array("b02", shape=(SIDE, SIDE), dtype="u2", chunks=(16, 16), fill_value=0, **packed, **more)
    array[:] = numbers("B2")
    array.attrs.update({"scale_factor": 0.0001, "add_offset": -0.1})
    band = eopf.describe(path, tmp_path / "scenes").bands["B2"]
    np.testing.assert_array_equal(raster.read_codes(band.path).to_numpy()[0], numbers("B2"))


def test_without_the_package_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, real = product(tmp_path), builtins.__import__

    def gone(name: str, *args: Any, **options: Any) -> Any:
        if name == "zarr":
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", gone)
    with pytest.raises(LulcError, match='pip install "zarr>=3"'):
        eopf.describe(path, tmp_path / "scenes")


def test_the_same_door_as_safe_and_notebook_02_reads_it(project: Path) -> None:
    made = product(project / "data")
    before = {f: f.read_bytes() for f in made.rglob("*") if f.is_file()}
    p = params.Download.check({"study": "s", "source": "products", "products": "data"}, "here")
    layout = Layout(project / "outputs/s")
    found = scenes.get(p, layout)
    assert [s.name for s in found.scenes] == ["2025-05-09_33UUU"] and "2025" in found.attribution
    written = {b.path: b.path.stat().st_mtime_ns for b in found.scenes[0].bands.values()}
    scenes.get(p, layout)
    assert {path: path.stat().st_mtime_ns for path in written} == written  # not copied again
    assert {f: f.read_bytes() for f in made.rglob("*") if f.is_file()} == before
    build(p, layout.folder, mask="scl", scl_exclude=[])
    cube = raster.read(layout.image("2025-05-09"), ["B4"]).to_numpy()[0]
    expected = np.where(numbers("B4") == 0, np.nan, numbers("B4") / 10000 - 0.1)
    both = ~np.isnan(cube)
    assert both.mean() > 0.9
    np.testing.assert_allclose(cube[both], expected[both], atol=6e-5)


def test_one_acquisition_twice_is_refused(project: Path) -> None:
    product(project / "data")
    product(project / "data", name=NAME.replace("N0511", "N0510"))
    with pytest.raises(FormatError, match="Tile 33UUU of 2025-05-09T10:00:29 is there twice"):
        products.catalog(str(project / "data"), {}, project / "copies")
