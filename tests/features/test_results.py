"""What 04 leaves behind: one stack with names, from an image and everything around it."""

import json
import shutil
import subprocess
import warnings
from pathlib import Path

import dask
import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from lulc_kit import catalog, families, params, raster, steps, study
from lulc_kit.catalog import Catalog
from lulc_kit.cube import Reason
from lulc_kit.errors import LulcError
from lulc_kit.features import results
from lulc_kit.layout import CubeLayout, Layout
from lulc_kit.params.features import BANDS
from lulc_kit.raster import blockwise, writing
from lulc_kit.visualize import charts, images
from tests import rasters

NOTEBOOK = Path(__file__).parents[2] / "notebooks/04_features.ipynb"
BOX = GeoBox((60, 70), from_origin(500_000, 5_800_000, 10, 10), "EPSG:32633")
WORKFLOW = [
    "B2",
    "B3",
    "B4",
    "B5",
    "B6",
    "B7",
    "B8",
    "B8A",
    "B9",
    "B11",
    "B12",
    "NDVI",
    "NDRE",
    "EVI2",
    "BI2",
    "MNDWI",
    "NDBI",
    "DEM",
    "slope",
    "aspect",
]
CONTEXT = [f"{band}_{name}{side}" for band in BANDS for side in (3, 7, 15) for name in ("mean", "std")]
COMPONENTS = ["PC1", "PC2", "PC3", "TPC1", "TPC2", "TPC3"]


@pytest.fixture
def folder(project):
    """A study that has come as far as 02, with an elevation model and roads."""
    found = project / "outputs/small"
    values = np.random.default_rng(8).uniform(0.02, 0.4, (11, 60, 70)).astype(np.float32)
    values[:, 5:9, 5:9] = np.nan
    writing.write_all([writing.reflectance(found / "cube/composite.tif", raster.array(values, BOX, BANDS))])
    wide = BOX.pad(4)
    height = 100 + np.add.outer(-np.arange(wide.height), 2 * np.arange(wide.width))[None].astype(np.float32)
    writing.write(project / "dem.tif", raster.array(height, wide, ["height"]))
    road = shapely.LineString([(500_005, 5_799_705), (500_695, 5_799_705)])
    gpd.GeoDataFrame(geometry=[road], crs="EPSG:32633").to_file(project / "roads.gpkg")
    catalog.write(found / "catalog.json", Catalog([], {"dem": project / "dem.tif", "roads": project / "roads.gpkg"}))
    return found


def run(p, folder):
    """Execute the notebook's own cells; return the stack."""
    namespace = {"display": lambda *_: None}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), NOTEBOOK.name, "exec"), namespace)
            if "parameters" in cell["metadata"].get("tags", []):
                namespace |= p.model_dump(mode="json")
    return raster.read(folder / "features/stack.tif")


def test_a_layer_without_numbers_is_refused_at_once(folder, without_pictures):
    """An elevation model that covers the study and says nodata all over it; with one number there is a map to make."""
    dem, wide = folder.parents[1] / "dem.tif", BOX.pad(4)
    height = np.full((1, *wide.shape), np.nan, np.float32)
    writing.write(dem, raster.array(height, wide, ["height"]))
    small = params.Features(study="small", components=0, texture_bands=[], texture_components=0, context_windows=[])
    with pytest.raises(LulcError, match="DEM, slope, aspect have no number.*'stack'"):
        run(small, folder)
    run(small.model_copy(update={"stack": ["B2", "NDVI"]}), folder)
    height[:, 20:40, 20:40] = 100
    writing.write(dem, raster.array(height, wide, ["height"]))
    assert np.isfinite(run(small, folder).sel(band="slope").data).sum() >= 18 * 18


@pytest.fixture
def without_pictures(monkeypatch):
    """Drawing takes longer than all the rest."""
    monkeypatch.setattr(images, "layers", lambda *_: None)
    monkeypatch.setattr(charts, "loadings", lambda *_: None)


def check(**values):
    return params.Features.check({"study": "small"} | values, "a test")


@pytest.mark.usefixtures("without_pictures")
def test_with_an_elevation_model_the_default_begins_with_the_stack_of_the_source_workflow(folder):
    (folder / "catalog.json").unlink()
    catalog.write(folder / "catalog.json", Catalog([], {"dem": folder.parents[1] / "dem.tif"}))
    p = check()
    found = run(p, folder)
    assert found.band.values.tolist() == [*WORKFLOW, *CONTEXT, *COMPONENTS]
    assert found.odc.geobox == BOX
    slope = found.sel(band="slope").to_numpy()
    np.testing.assert_allclose(slope, np.degrees(np.arctan(np.hypot(0.2, 0.1))), atol=1e-3)
    assert np.isfinite(slope).all()
    for path in steps.writes(p, Layout(folder)):
        assert path.exists()


@pytest.mark.long
@pytest.mark.usefixtures("without_pictures")
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chunk=st.integers(12, 80), free=st.sampled_from([400, 20_000]))
def test_nothing_depends_on_the_blocks_or_the_memory(chunk, free, folder, monkeypatch):
    memory = int((blockwise.allowance()[1] + free) / 0.9)  # MB, beside what other tests have left in this process
    p = check(texture_window=7, texture_bands=["B4", "B8"], texture_features=["contrast", "correlation", "entropy"])
    files = [f for f in steps.writes(p, Layout(folder)) if f.suffix == ".tif"]
    run(p, folder)
    whole = {f: raster.read(f).to_numpy() for f in files}
    with monkeypatch.context() as blocks, dask.config.set({"lulc_kit.memory": memory}):
        blocks.setattr(raster, "CHUNK", chunk)
        run(p, folder)
    for name, expected in whole.items():
        found = raster.read(name).to_numpy()
        spread = np.nanmax(np.abs(expected), axis=(1, 2), keepdims=True)
        np.testing.assert_allclose(found / spread, expected / spread, atol=1e-6, rtol=0, err_msg=name)


@pytest.mark.usefixtures("without_pictures")
def test_an_embedding_as_it_is_exported_is_a_family_of_its_own(folder):
    """Vectors of length 1 in 8-bit numbers, one pixel of no data."""
    vectors = np.random.default_rng(4).normal(size=(3, 60, 70))
    vectors /= np.linalg.norm(vectors, axis=0)
    codes = np.rint(np.sign(vectors) * np.sqrt(np.abs(vectors)) * 127.5).clip(-127, 127).astype(np.int8)
    codes[:, 30, 40] = -128
    names = ["A00", "A01", "A02"]
    writing.write(folder.parents[1] / "year.tif", raster.array(codes, BOX, names), dtype="int8", nodata=-128)
    entry = {"file": "year.tif", "family": "embedding", "year": 2021, "scale": "alphaearth"}
    found = run(check(external=[entry], stack=["B2", *names]), folder)
    assert families.read(folder / "features/stack.tif") == {"B2": "bands"} | dict.fromkeys(names, "embedding")
    read = found.sel(band=names).to_numpy()
    assert np.isnan(read[:, 30, 40]).all() and np.isnan(read).sum() == 3
    read[:, 30, 40] = vectors[:, 30, 40]
    assert np.abs(read - vectors).max() < 1 / 127.5  # half a step of the 8-bit number, where the square is steepest


@pytest.mark.usefixtures("without_pictures")
def test_any_list_in_any_order_with_texture_roads_and_others(folder):
    others = raster.array(np.full((1, 60, 70), 5, np.float32), BOX, ["height"])
    writing.write(folder.parents[1] / "canopy.tif", others)
    names = ["road_distance", "TPC1", "B8_entropy", "canopy_height", "PC2", "kNDVI", "B2"]
    entry = {"file": "canopy.tif", "prefix": "canopy_"}
    names.insert(3, "kNDVI_std5")
    own = {"context_windows": [5], "context_layers": ["B8", "kNDVI"], "context_statistics": ["std"]}
    p = check(stack=names, indices=["kNDVI"], external=[entry], texture_bands=["B8"], texture_components=1, **own)
    found = run(p, folder)
    assert found.band.values.tolist() == names
    assert found.sel(band="road_distance").to_numpy()[20, 30] == 90
    assert (found.sel(band="canopy_height").to_numpy() == 5).all()
    mixed = json.loads((folder / "features/texture_components.json").read_text(encoding="utf-8"))
    assert mixed["bands"] == ["B8_entropy", "B8_correlation"]


@pytest.mark.usefixtures("without_pictures")
def test_statistics_over_the_clear_dates(folder):
    layout = Layout(folder)
    generator = np.random.default_rng(2)
    images = generator.uniform(0.1, 0.5, (5, 2, 60, 70)).astype(np.float32)
    cloudy = generator.random((5, 60, 70)) < 0.4
    dates = [f"2021-0{month}-15" for month in (3, 5, 6, 8, 9)]
    for date, values, cloud in zip(dates, images, cloudy, strict=True):
        writing.write(layout.image(date), raster.array(values, BOX, ["B4", "B8"]))
        codes = raster.array(np.where(cloud, Reason.CLOUD, Reason.CLEAR).astype(np.uint8)[None], BOX, ["mask"])
        writing.write(CubeLayout(layout.cube).mask(date), codes, dtype="uint8", nodata=None)
    wanted = {"time_layers": ["NDVI", "B4"], "time_statistics": ["p50", "count"], "time_dates": [dates[1], dates[4]]}
    p = check(**wanted, stack=["B2", "NDVI_p50", "B4_count"], indices=[])
    found = run(p, folder)
    clear = np.where(cloudy[1:], np.nan, 1)
    red, infrared = images[1:].transpose(1, 0, 2, 3)
    count = np.isfinite(clear).sum(axis=0)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        median = np.nanmedian((infrared - red) / (infrared + red) * clear, axis=0)
    expected = np.where(count >= 3, median, np.nan)
    np.testing.assert_allclose(found.sel(band="NDVI_p50"), expected, atol=1e-6)
    np.testing.assert_array_equal(found.sel(band="B4_count"), count)
    assert {layout.image("*"), layout.time} & {*steps.reads(p, layout), *steps.writes(p, layout)} == {layout.time}
    by_month = results.clear_by_month(p, layout)
    assert by_month.index.tolist() == ["2021-05", "2021-06", "2021-07", "2021-08", "2021-09"]
    np.testing.assert_allclose(by_month["never"], [*cloudy[1:3].mean(axis=(1, 2)), 1, *cloudy[3:].mean(axis=(1, 2))])
    np.testing.assert_allclose(by_month["clear"], 1 - by_month["never"])
    some = {"time_months": ["2021-06", "05..08", "09"], "time_each": True, "stack": None}
    found = run(check(**wanted | some), folder)
    clouded = np.where(cloudy[:, None], np.nan, images)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        summer = np.nanmedian(clouded[1:4, 0], axis=0)
    np.testing.assert_array_equal(found.sel(band="B4_2021-06"), clouded[2, 0].astype(np.float32))
    np.testing.assert_allclose(found.sel(band="B4_05..08"), summer, atol=1e-6)
    np.testing.assert_array_equal(found.sel(band="B4_2021-09-15"), found.sel(band="B4_09"))
    with pytest.raises(LulcError, match="time_months: no date of the cube lies in 2021-07"):
        run(check(**wanted | {"time_months": ["2021-07"]}), folder)
    with pytest.raises(LulcError, match="time_dates: no date of the cube lies from 2030-01-01"):
        run(check(**wanted | {"time_dates": ["2030-01-01", "2030-02-01"]}), folder)
    with pytest.raises(LulcError, match="B12"):
        run(check(**wanted | {"time_layers": ["B12"]}), folder)
    wave = {"time_statistics": ["p50", "phase1", "count"]}
    with pytest.raises(LulcError, match="phase1 needs 6 clear dates of a pixel, and there are 4 dates in all: 2021"):
        run(check(**wanted | wave), folder)
    with pytest.raises(LulcError, match="p50 needs 5 clear dates.*lower time_min .5."):
        run(check(**wanted | {"time_min": 5}), folder)


@pytest.mark.usefixtures("without_pictures")
def test_a_month_that_clouds_hide_leaves_what_was_there(folder):
    """A date that shows a pixel is enough; none is an error, before any file is written."""
    layout = Layout(folder)
    codes = np.full((2, 60, 70), Reason.CLOUD, np.uint8)
    codes[0, 3, 5] = Reason.CLEAR
    for date, mask in zip(("2021-03-15", "2021-07-15"), codes, strict=True):
        writing.write(layout.image(date), raster.array(np.full((1, 60, 70), 0.3, np.float32), BOX, ["B4"]))
        writing.write(layout.mask(date), raster.array(mask[None], BOX, ["mask"]), dtype="uint8", nodata=None)
    wanted = {
        "time_layers": ["B4"],
        "time_statistics": ["count"],
        "time_min": 1,
        "time_dates": ["2021-03-01", "2021-07-31"],
    }
    found = run(check(**wanted, time_months=["2021-03"], stack=["B4_2021-03"]), folder)
    assert np.isfinite(found.to_numpy()).sum() == 1
    before = {path: path.read_bytes() for path in layout.features.iterdir()}
    with pytest.raises(LulcError, match=r"on no date of 2021-07 \(2021-07-15\) any pixel is clear"):
        run(check(**wanted, time_months=["2021-03", "2021-07"]), folder)
    assert {path: path.read_bytes() for path in layout.features.iterdir()} == before


@pytest.mark.usefixtures("without_pictures")
def test_names_are_seen_by_gdal_with_overviews_and_statistics(folder):
    run(check(), folder)
    path = folder / "features/stack.tif"
    with rasterio.open(path) as file:
        assert list(file.descriptions) == [*WORKFLOW, "road", "road_distance", *CONTEXT, *COMPONENTS]
        assert file.profile["dtype"] == "float32" and np.isnan(file.nodata)
        assert file.tags(1)["STATISTICS_MINIMUM"] and file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    if shutil.which("gdalinfo"):
        shown = subprocess.run(["gdalinfo", path], check=True, capture_output=True, text=True).stdout
        assert "Description = slope" in shown and "STATISTICS_MEAN" in shown


NOTHING = [
    {"components": 0},
    {"texture_bands": []},
    {"texture_components": 0},
    {"indices": []},
    {"context_windows": []},
]


@pytest.mark.parametrize("values", [*NOTHING, {k: v for one in NOTHING for k, v in one.items()}])
def test_what_is_not_asked_for_is_not_there(folder, values):
    catalog.write(folder / "catalog.json", Catalog([]))
    p = check(**values)
    mixed = [f"PC{k + 1}" for k in range(p.components)]
    mixed += [f"TPC{k + 1}" for k in range(p.texture_components if p.texture_bands else 0)]
    around = CONTEXT if p.context_windows else []
    assert run(p, folder).band.values.tolist() == [*BANDS, *p.indices, *around, *mixed]
    names = {f"features/{f.name}" for f in (folder / "features").iterdir()}
    assert names == {f"features/{path.name}" for path in steps.writes(p, Layout(folder))}
    assert ("features/components.tif" in names) == (p.components > 0)
    assert ("features/texture.tif" in names) == (p.texture_bands != [])
    assert ("features/texture_components.tif" in names) == (p.texture_bands != [] and p.texture_components > 0)


@pytest.mark.usefixtures("without_pictures")
def test_a_layer_that_is_not_there_says_what_there_is(folder):
    with pytest.raises(LulcError, match=r"elevation not found.*DEM, slope"):
        run(check(stack=["B2", "elevation"]), folder)
    with pytest.raises(LulcError, match=r"no file fits 'exports/\*.tif'"):
        run(check(external=[{"file": "exports/*.tif"}]), folder)


@pytest.mark.usefixtures("without_pictures")
def test_the_step_is_outdated_when_the_elevation_model_or_an_external_file_changes(folder):
    canopy = folder.parents[1] / "exports/canopy.tif"
    writing.write(canopy, raster.array(np.ones((1, 60, 70), np.float32), BOX, ["height"]))
    p = check(external=[{"file": "exports/*.tif"}])
    named = {f.name for f in study.Study(p).inputs(p)}
    assert {"composite.tif", "catalog.json", "dem.tif", "roads.gpkg", "canopy.tif"} == named
    run(p, folder)
    assert study.Study(p).outdated(p) is None
    for path in (canopy, folder.parents[1] / "dem.tif"):
        content = path.read_bytes()
        writing.write(path, raster.read(path).load() * 2)
        assert study.Study(p).outdated(p) == "inputs changed"
        path.write_bytes(content)
        assert study.Study(p).outdated(p) is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"context_windows": [4]}, "context_windows must be odd"),
        ({"texture_window": 4}, "must be odd"),
        ({"time_statistics": ["median"]}, "time_statistics"),
        ({"texture_distance": 5}, "does not fit"),
        ({"texture_bands": ["B8"], "texture_components": 3}, "at most 2"),
        ({"bands": ["B2"], "components": 2}, "there are 1 bands"),
        ({"stack": ["B2", "B2"]}, "twice"),
        ({"texture_features": ["roughness"]}, "texture_features"),
        ({"texture_directions": [0, 30]}, "texture_directions"),
        ({"external": [{"path": "a.tif"}]}, "external.0.file"),
        ({"external": [{"file": "a.tif", "align": "linear"}]}, "external.0.align"),
    ],
)
def test_wrong_parameters_are_refused(wrong, message):
    with pytest.raises(LulcError, match=message):
        check(**wrong)


@pytest.mark.parametrize(
    ("scale", "offset", "unit", "metre"),
    [
        (1, 0, "", 1),
        (0.1, -50, "m", 1),
        (1, 0, "ft", 0.3048),
        (0.5, 7, "US survey foot", 1200 / 3937),
        (1, 0, "cm", 0.01),
    ],
)
def test_slopes_are_in_true_metres_whatever_the_elevation_is_written_in(folder, scale, offset, unit, metre):
    """A plane that rises by its own length: 45 degrees."""
    metres = np.add.outer(np.zeros(BOX.height), 10.0 * np.arange(BOX.width))
    numbers = (metres / metre - offset) / scale
    path = rasters.write(folder.parents[1] / "dem.tif", numbers.astype(np.float32), BOX, scale=scale, offset=offset)
    with rasterio.open(path, "r+") as out:
        out.units = [unit]
    terrain = results.families(raster.read(folder / "cube/composite.tif"), check(), Layout(folder))["terrain"]
    dem, slope = terrain.sel(band="DEM").values, terrain.sel(band="slope").values
    np.testing.assert_allclose(dem, metres, atol=0.01)
    np.testing.assert_allclose(slope[1:-1, 1:-1], 45, atol=0.01)


def test_what_a_mask_hides_of_an_external_file_stays_hidden_whatever_the_parameter_says(folder):
    hidden = np.zeros(BOX.shape, bool)
    hidden[:5] = True
    path = rasters.write(folder.parents[1] / "exports/cover.tif", np.full(BOX.shape, 40, np.uint8), BOX)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as out:
        out.write_mask(~hidden)
    p = check(external=[{"file": "exports/cover.tif", "nodata": -9999}])
    found = results.families(raster.read(folder / "cube/composite.tif"), p, Layout(folder))["external"].values[0]
    np.testing.assert_array_equal(found, np.where(hidden, np.nan, 40))


@pytest.mark.parametrize(
    ("numbers", "unit", "says"),
    [
        (np.ones((2, *BOX.shape)), "m", r"has 2 bands \(band_1, band_2\)"),
        (np.full(BOX.shape, -9999), "m", "elevations of -9999 m, which no land has"),
        (np.ones(BOX.shape), "hPa", "gives elevation in 'hPa', and slopes need metres"),
    ],
)
def test_an_elevation_model_that_may_mean_something_else_is_refused(folder, numbers, unit, says):
    path = rasters.write(folder.parents[1] / "dem.tif", numbers.astype(np.float32), BOX)
    with rasterio.open(path, "r+") as out:
        out.units = [unit] * out.count
    with pytest.raises(LulcError, match=says):
        results.families(raster.read(folder / "cube/composite.tif"), check(), Layout(folder))["terrain"].compute()
