"""The simulated study against what it claims: GDAL's own driver, the tables it was painted from, geometry."""

import contextlib
import filecmp
import itertools
import re
import shutil
import sqlite3
from dataclasses import replace

import numpy as np
import pytest
import rasterio

from lulc_kit import guard
from lulc_kit.errors import LulcError
from lulc_kit.preprocess import radiometry
from lulc_kit.safe import manifest
from lulc_kit.safe import product as safe
from lulc_kit.safe.scene import describe
from lulc_kit.safe.source import open_source
from lulc_kit.simulated import simulate
from tests.simulated.seen import SIZE, baseline, date_of, image, metadata, on, reflectance


def test_everything_says_simulated(study):
    assert (study.folder / "README.txt").read_text().startswith("SIMULATED")
    for file in (study.training, study.roads):
        with contextlib.closing(sqlite3.connect(file)) as gpkg:
            assert [row[0][:9] for row in gpkg.execute("SELECT description FROM gpkg_contents")] == ["SIMULATED"]
    for product in study.scenes:
        assert "<PRODUCT_DOI>SIMULATED</PRODUCT_DOI>" in metadata(product)
    for path in (study.classes, study.reflectance, study.dem, *study.masks):
        with rasterio.open(path) as file:
            assert file.tags()["SIMULATED"] == "YES"


def test_neighbours_overlap_as_real_tiles_and_agree_there(study):
    left, right = (on(study, study.clear_date, tile) for tile in ("33UVU", "33UWU"))
    texts = [next(product.glob("GRANULE/*/MTD_TL.xml")).read_text() for product in (left, right)]
    edges = [int(re.search(r"<ULX>(\d+)<", text).group(1)) for text in texts]
    step = (edges[1] - edges[0]) // 10
    assert (SIZE - step) / SIZE == pytest.approx(978 / 10980, abs=0.02)
    assert np.array_equal(image(left, "B02")[:, step:], image(right, "B02")[:, : SIZE - step])


def test_our_own_reader_gives_the_same_and_finds_the_radiometry_plausible(study):
    products = safe.open_products(study.folder / "scenes")
    assert [product.path.name for product in products] == [path.name for path in study.scenes]
    darkness = {}
    for product in products[::3]:
        assert product.simulated
        found = describe(product)
        grid = found.bands["B4"].geobox
        bands = {name: found.bands[name] for name in ("B3", "B4", "B8")}
        image = radiometry.scene_on_grid(replace(found, bands=bands), grid).to_numpy()
        np.testing.assert_allclose(image[1], reflectance(product.path, "B4"), atol=1e-6)
        codes = radiometry.codes_on_grid(found.scl, grid).compute()
        values = np.where((codes > 2) & (codes < 8), image, np.nan)
        darkness[product.name] = guard.check(product.name, guard.judge(guard.measure(values, list(bands)))).darkness
        listed = manifest.checksums(open_source(product.path))
        assert len(listed) >= 15
        manifest.refuse_damaged(product.path, [product.path / name for name in listed])
    guard.refuse_mixture(darkness)


def test_ten_dates_through_a_year_on_both_sides_of_baseline_0400(study):
    days = sorted({date_of(product) for product in study.scenes})
    assert 8 <= len(days) <= 12
    assert 300 < (days[-1] - days[0]).days < 366
    assert max(b - a for a, b in itertools.pairwise(days)).days < 100
    assert {tuple(sorted(p.name[39:44] for p in study.scenes if date_of(p) == d)) for d in days} == {("33UVU", "33UWU")}
    assert {baseline(p) < "04.00" for p in study.scenes} == {True, False}


def test_same_seed_same_bytes_and_another_seed_another_land(study, tmp_path):
    days = [date_of(study.scenes[0]), study.clear_date]
    first = simulate(tmp_path / "a", size=256, tiles=1, dates=days, seed=9)
    second = simulate(tmp_path / "b", size=256, tiles=1, dates=days, seed=9)
    other = simulate(tmp_path / "c", size=256, tiles=1, dates=days[1:], seed=10)
    rasters = [path for path in first.folder.rglob("*") if path.suffix in (".jp2", ".tif")]
    names = [str(path.relative_to(first.folder)) for path in rasters]
    assert len(names) == 2 * 13 + 1 + 5  # images, one raster cloud mask, two masks, classes, reflectance, DEM
    assert filecmp.cmpfiles(first.folder, second.folder, names, shallow=False) == (names, [], [])
    assert not filecmp.cmp(first.classes, other.classes, shallow=False)
    with rasterio.open(first.classes) as file:
        assert file.shape == (258, 258)  # the next multiple of six


def test_a_study_is_replaced_but_real_products_never(tmp_path):
    own = tmp_path / "reference" / "mine.gpkg"
    own.parent.mkdir()
    own.write_text("a user's own")
    made = simulate(tmp_path, size=256, tiles=1, dates=["2022-06-14", "2022-07-01"])
    again = simulate(tmp_path, size=256, tiles=1, dates=["2022-06-14"])
    assert own.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.txt", "ancillary", "reference", "scenes", "truth"
    ]  # fmt: skip
    assert len(again.masks) == 1
    assert len(made.scenes) == 2
    assert [path.name for path in (tmp_path / "scenes").iterdir()] == [again.scenes[0].name]
    text = metadata(again.scenes[0]).replace("SIMULATED", "10.5270/S2_-znk9xsj")
    (again.scenes[0] / "MTD_MSIL2A.xml").write_text(text)
    with pytest.raises(LulcError, match="is not a simulated product"):
        simulate(tmp_path, size=256, tiles=1)
    assert again.scenes[0].is_dir()
    shutil.rmtree(again.scenes[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 100}, "size is 100; expected 256"),
        ({"size": 20000}, "expected 256 to 10980"),
        ({"tiles": 3}, "tiles is 3"),
        ({"dates": ["2022-13-01"]}, "could not be read"),
        ({"dates": ["2022-05-15", "2022-05-15"]}, "occurs twice"),
        ({"dates": ["2010-05-15"]}, "before Sentinel-2A"),
    ],
)
def test_bad_arguments_write_nothing(tmp_path, arguments, message):
    with pytest.raises(LulcError, match=message):
        simulate(tmp_path / "study", **arguments)
    assert not (tmp_path / "study").exists()
