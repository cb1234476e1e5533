"""The atmospheric correction through notebooks 01 and 02, on simulated products whose ground and air are known.

Sen2Cor is a stand-in (tests/products.py); the real program was never run.
"""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from lulc_kit import catalog, params, raster
from lulc_kit.catalog import Catalog
from lulc_kit.cube import Cube, Reason
from lulc_kit.download import scenes as get_scenes
from lulc_kit.errors import LulcError
from lulc_kit.layout import Layout
from lulc_kit.preprocess import builder, composite, correction, dark_object, grid
from lulc_kit.visualize import style
from tests import products, scene

posix = pytest.mark.skipif(os.name == "nt", reason="the stand-in is started by its #! line")
FINE = ("B2", "B3", "B4", "B8")
SLEEP = "import time; time.sleep(600)"


def described(project: Path, folder: Path) -> Catalog:
    """Do what notebook 01 does, and read the catalog back as notebook 02 does."""
    p = params.Download.check({"study": "s", "source": "products", "products": str(folder)}, "here")
    path = project / "outputs/s/catalog.json"
    catalog.write(path, get_scenes.get(p, Layout(path.parent)))
    return catalog.read(path)


def preprocessed(project: Path, scenes: Catalog, choice: correction.Choice, mask: str = "none", **how: Any) -> Path:
    """Do what notebook 02 does; return the cube's folder."""
    folder = project / "outputs/s"
    corrected = correction.surface(scenes, choice, folder / "sen2cor", **how)
    geobox = grid.study_grid(corrected)
    builder.build(corrected, geobox, folder / "cube", mask=mask, scl_exclude=[9], correct=choice)
    composite.write(folder / "cube")
    return folder / "cube"


def numbers(path: Path) -> Any:
    return raster.read(path).compute()


def test_dark_object_takes_off_the_air_that_was_added_and_says_so(project: Path) -> None:
    products.write_l1c(project / "in")
    scenes = described(project, project / "in")
    before = numbers(preprocessed(project, scenes, "none") / "2023-06-15.tif")
    for name in ("2023-06-15", "composite"):
        path = project / f"outputs/s/cube/{name}.tif"
        assert raster.tags(path)["correction"] == "none (top of the atmosphere)"
        assert style.caption(path) == "2023-06-15 · L1C · correction: none (top of the atmosphere)"
    with pytest.warns(UserWarning, match="not surface reflectance as Sen2Cor"):
        folder = preprocessed(project, scenes, "dark_object")
    after = numbers(folder / "2023-06-15.tif")
    tags = raster.tags(folder / "2023-06-15.tif")
    assert tags["level"] == "L1C"
    assert "simple, not Sen2Cor" in tags["correction"]
    assert tags["correction_limits"] == dark_object.WARNING
    path = dict(entry.split() for entry in tags["path_reflectance"].split(", "))
    assert list(path) == [str(b) for b in after.band.values]
    for band in FINE:
        assert float(path[band]) == pytest.approx(products.AIR[band], abs=2e-4)
        np.testing.assert_allclose(after.sel(band=band), products.ground(band), atol=4e-4)
    for band in after.band.values.tolist():
        expected = np.maximum(before.sel(band=band) - float(path[band]), 0)
        np.testing.assert_allclose(after.sel(band=band), expected, atol=1.6e-4)
    assert float(path["B10"]) == 0, "it shows no ground"
    composed = raster.tags(folder / "composite.tif")
    for name in ("level", "correction", "correction_limits", "coarse_bands"):
        assert composed[name] == tags[name]
    for name in ("2023-06-15", "composite"):
        assert style.caption(folder / f"{name}.tif") == (
            "2023-06-15 · L1C · correction: dark-object subtraction (Chavez 1988; simple, not Sen2Cor)"
        )


def test_tiles_of_one_date_lose_the_same_so_that_no_seam_appears(project: Path) -> None:
    """Measured alone, a tile without the lake would lose more."""
    for tile in ("33UVU", "33UWU"):
        products.write_l1c(project / "in", tile=tile)
    samples = [numbers_of(s) for s in described(project, project / "in").scenes]
    samples[1] = samples[1].where(samples[1] > 0.1)
    alone, together = correction.path_reflectance(samples[1:]), correction.path_reflectance(samples)
    assert alone["B2"] > together["B2"] + 0.02
    assert together["B2"] == pytest.approx(correction.path_reflectance(samples[:1])["B2"], abs=1e-3)


def test_the_dark_objects_of_all_tiles_of_a_date_count(project: Path) -> None:
    """The first tile has no lake: by itself it would lose 5 % more, everywhere."""
    first = products.write_l1c(project / "in", tile="33UVU")
    products.write_l1c(project / "in", tile="33UWU")
    for image in first.rglob("*.jp2"):
        with rasterio.open(image) as file:
            seen, resolution = file.read(1), int(file.transform.a)
        half = len(seen) // 2
        seen[half:, :half] = seen[:half, :half]
        products.write_jp2(image, seen, resolution)
    with pytest.warns(UserWarning, match="not surface reflectance"):
        folder = preprocessed(project, described(project, project / "in"), "dark_object")
    tags = raster.tags(folder / "2023-06-15.tif")
    path = dict(entry.split() for entry in tags["path_reflectance"].split(", "))
    assert float(path["B2"]) == pytest.approx(products.AIR["B2"], abs=1e-3)


def numbers_of(of: catalog.Scene) -> Any:
    from lulc_kit.preprocess import radiometry

    return radiometry.scene_on_grid(of, raster.grid(of.bands["B2"].path)).compute()


@pytest.fixture
def sen2cor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in, and nothing else that this machine may have."""
    for place in ("PATH", "HOME"):
        monkeypatch.setenv(place, str(tmp_path / "nowhere"))
    return products.install_sen2cor(tmp_path / "programs")


@posix
def test_sen2cor_from_l1c_products_to_a_cube_of_the_surface(project: Path, sen2cor: Path) -> None:
    for day in ("20230615", "20230705"):
        products.write_l1c(project / "in", day=day)
    before = scene.hashes(project / "in")
    scenes = described(project, project / "in")
    how: dict[str, Any] = {"mask": "scl", "programs": [str(sen2cor)]}
    folder = preprocessed(project, scenes, "sen2cor", **how)
    assert scene.hashes(project / "in") == before
    cloud = np.zeros((products.SIDE, products.SIDE), bool)
    cloud[products.CLOUD] = True
    for day in ("2023-06-15", "2023-07-05"):
        tags = raster.tags(folder / f"{day}.tif")
        assert (tags["level"], tags["correction"]) == ("L2A", correction.SEN2COR_TAG)
        assert style.caption(folder / f"{day}.tif") == f"{day} · L2A · correction: Sen2Cor, run by this study"
        assert "baseline 99.99: reflectance = number * 0.0001 -0.1" in tags["radiometry"]
        image = numbers(folder / f"{day}.tif")
        for band in FINE:
            np.testing.assert_allclose(image.sel(band=band), products.ground(band), atol=2.1e-4)
        codes = raster.read_codes(folder / f"{day}_mask.tif").to_numpy()[0]
        np.testing.assert_array_equal(codes, np.where(cloud, Reason.CLOUD, Reason.CLEAR))
    # Kept, and taken up again without the program.
    kept = project / "outputs/s/sen2cor"
    assert len(list(kept.glob("S2A_MSIL2A_*_N9999_*.SAFE"))) == 2
    made = scene.hashes(kept)
    (sen2cor / "bin/L2A_Process").write_text("#!/bin/sh\necho 'Sen2Cor. Version: 02.11.00, created'\nexit 1\n")
    cubes = scene.hashes(folder)
    preprocessed(project, scenes, "sen2cor", **how)
    assert scene.hashes(kept) == made
    assert scene.hashes(folder) == cubes


@posix
def test_sen2cor_that_fails_on_one_product_keeps_the_others_and_names_the_cause(project: Path, sen2cor: Path) -> None:
    good = products.write_l1c(project / "in", day="20230615")
    bad = products.write_l1c(project / "in", day="20230705")
    (bad / "refuse.txt").write_text("yes")
    scenes = described(project, project / "in")
    with pytest.raises(LulcError, match=r"(?s)1 of 2 products.*run the step again.*20230705.*No space left on device"):
        preprocessed(project, scenes, "sen2cor", mask="scl", programs=[str(sen2cor)])
    assert not (project / "outputs/s/cube").exists()
    (kept,) = (project / "outputs/s/sen2cor").glob("*.SAFE")
    assert kept.name[11:26] == good.name[11:26]
    (bad / "refuse.txt").unlink()
    folder = preprocessed(project, scenes, "sen2cor", mask="scl", programs=[str(sen2cor)])
    assert Cube(folder).dates == ["2023-06-15", "2023-07-05"]


@posix
def test_the_time_out_of_the_parameters_reaches_the_program(project: Path, sen2cor: Path) -> None:
    products.write_l1c(project / "in")
    program = sen2cor / "bin/L2A_Process"
    banner = "Sen2Cor. Version: 02.11.00, created: 2022.06.09 --output_dir"
    program.write_text(f"#!/bin/sh\necho '{banner}'\ntest $1 = --help || exec {sys.executable} -c '{SLEEP}'\n")
    p = params.Preprocess.check(
        {"correction": "sen2cor", "mask": "scl", "sen2cor": [str(sen2cor)], "sen2cor_timeout": 1.5}, "here"
    )
    scenes = described(project, project / "in")
    with pytest.raises(LulcError, match=r"0 of 1 products.*\n.*not done after 2 s and was stopped"):
        preprocessed(project, scenes, p.correction, p.mask, programs=p.sen2cor, timeout=p.sen2cor_timeout)


@posix
def test_only_the_wanted_dates_are_corrected(project: Path, sen2cor: Path) -> None:
    for day in ("20230615", "20230705"):
        products.write_l1c(project / "in", day=day)
    scenes = described(project, project / "in")
    made = correction.surface(
        scenes, "sen2cor", project / "sen2cor", programs=[str(sen2cor)], dates=["2023-07-01", "2023-07-31"]
    )
    assert [(s.date, s.level) for s in made.scenes] == [("2023-07-05", "L2A")]


def test_without_sen2cor_the_message_names_the_other_ways(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("PATH", "HOME"):
        monkeypatch.setenv(place, str(project))
    products.write_l1c(project / "in")
    with pytest.raises(LulcError, match=r"No Sen2Cor was found.*Level-2A products.*dark-object"):
        preprocessed(project, described(project, project / "in"), "sen2cor", mask="scl")
    assert not (project / "outputs/s/cube").exists()


@posix
def test_a_zipped_product_is_to_be_unpacked_for_sen2cor(project: Path, sen2cor: Path) -> None:
    products.pack(products.write_l1c(project / "in"))
    with pytest.raises(LulcError, match="Unzip the product first"):
        preprocessed(project, described(project, project / "in"), "sen2cor", mask="scl", programs=[str(sen2cor)])


def test_what_shows_the_surface_is_not_corrected_again(project: Path, data: Path) -> None:
    entries = {"study": "s", "source": "files", "scenes": scene.scenes(data)}
    surface = get_scenes.get(params.Download.check(entries, "here"), Layout(project))
    for choice in ("dark_object", "sen2cor"):
        with pytest.raises(LulcError, match=rf"correction: {choice} is for Level-1C.*is L2A.*correction: none"):
            preprocessed(project, surface, choice)  # type: ignore[arg-type]
    with pytest.raises(LulcError, match="correction: dark_object is for Level-1C"):
        builder.build(surface, grid.study_grid(surface), project / "cube", mask="none", correct="dark_object")
    assert not (project / "cube").exists()


def test_sen2cor_takes_whole_products_only(project: Path, data: Path) -> None:
    entries = {"study": "s", "source": "files", "scenes": scene.scenes(data, level="L1C")}
    with pytest.raises(LulcError, match=r"sen2cor needs whole products.*source: products"):
        correction.surface(get_scenes.get(params.Download.check(entries, "here"), Layout(project)), "sen2cor", project)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"correction": "sen2cor", "mask": "spectral"}, "use mask: scl"),
        ({"correction": "dark_object", "mask": "scl"}, "use mask: spectral"),
        ({"correction": "dos"}, "'none', 'sen2cor' or 'dark_object'"),
    ],
)
def test_parameters_that_do_not_go_together(given: dict[str, str], says: str) -> None:
    with pytest.raises(LulcError, match=says):
        params.Preprocess.check(given, "02_preprocess.yaml")
