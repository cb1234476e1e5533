"""Whole products through notebooks 01 and 02: folders and archives give one cube; their own masks, tags and faults."""

import re
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio

from lulc_kit import catalog, files, params, raster, steps, study
from lulc_kit.cube import Cube, Reason
from lulc_kit.download import scenes as get_scenes
from lulc_kit.errors import LulcError
from lulc_kit.layout import Layout
from lulc_kit.raster import warping
from lulc_kit.simulated import simulate
from tests import products, scene
from tests.preprocess.whole import POLYGONS, described, expected, nothing_half_written, preprocess


def pixels(folder: Path) -> dict[str, bytes]:
    return {f.name: raster.read_codes(f).to_numpy().tobytes() for f in sorted(folder.glob("*.tif"))}


def test_an_archive_gives_the_cube_of_its_folder(project: Path, tmp_path: Path) -> None:
    """Simulated L2A products before and after baseline 04.00; the archive lies in a folder with odd characters."""
    simulated = simulate(tmp_path / "sim", size=256, tiles=1, dates=["2021-08-13", "2022-06-14"])
    whole = preprocess(project, tmp_path / "sim/scenes", "scl", sharpen=True, mask_buffer=60.0)
    expected = pixels(whole)
    assert len(expected) == 5
    shutil.rmtree(project / "outputs")
    packed = tmp_path / "my.zip files {x}"
    for product in simulated.scenes:
        products.pack(product, packed)
    before = scene.hashes(packed)
    found = preprocess(project, packed, "scl", sharpen=True, mask_buffer=60.0)
    assert pixels(found) == expected
    assert scene.hashes(packed) == before
    # The step's record names the archives, so that a changed one is noticed.
    p = params.Preprocess.check({"study": "s", "mask": "scl"}, "here")
    archives = [f for f in study.Study(p).inputs(p) if f.suffix == ".zip"]
    assert archives == sorted(packed.glob("*.zip"))


def test_archives_inside_the_study_move_with_it(project: Path) -> None:
    inside = project / "outputs/s/scenes"
    products.pack(products.write_l1c(project / "made"), inside)
    described(project, inside)
    (project / "outputs/s").rename(project / "outputs/moved")
    band = catalog.read(project / "outputs/moved/catalog.json").scenes[0].bands["B3"]
    assert files.on_disk(band.path).parent == project / "outputs/moved/scenes"
    assert raster.grid(band.path).shape == (products.SIDE, products.SIDE)


def test_a_file_in_an_archive_as_gdal_names_it_is_one_of_your_own(project: Path) -> None:
    """``/vsizip//home/…``: pathlib folds the double slash, after which GDAL would look for a relative path."""
    scene.write(project / "B2.tif", np.full((8, 8), 1000, np.uint16), 10.0)
    with zipfile.ZipFile(project / "mine.zip", "w") as archive:
        archive.write(project / "B2.tif", "bands/B2.tif")
    entry = {"date": "2023-06-15", "level": "L2A", "bands": {"B2": f"/vsizip/{project}/mine.zip/bands/B2.tif"}}
    p = params.Download.check({"study": "s", "source": "files", "scenes": [entry]}, "here")
    assert steps.of_users(p, study.Study(p).layout) == [project / "mine.zip"]
    catalog.write(project / "catalog.json", get_scenes.get(p, Layout(project)))
    band = catalog.read(project / "catalog.json").scenes[0].bands["B2"]
    assert (warping.warp(band.path, raster.grid(band.path)).compute() == 1000).all()


def test_quality_flags_reach_the_catalog(project: Path) -> None:
    products.write_l1c(project / "in", day="20230615", degraded=0.25)
    products.write_l1c(project / "in", day="20230705", failed="GENERAL_QUALITY")
    found = described(project, project / "in")
    assert found.scenes[0].quality == {
        "cloud_percentage": 12.5,
        "degraded_percentage": 0.25,
        "SENSOR_QUALITY": "PASSED",
        "GENERAL_QUALITY": "PASSED",
    }
    table = found.table()
    assert table["cloud, %"].tolist() == [12.5, 12.5]
    assert table["degraded, %"].tolist() == [0.25, 0.0]
    assert table["quality"].tolist() == ["passed", "GENERAL_QUALITY FAILED"]
    content = files.read_json(project / "outputs/s/catalog.json")["features"][0]["properties"]
    assert (content["eo:cloud_cover"], content["s2:degraded_msi_data_percentage"]) == (12.5, 0.25)


@pytest.mark.parametrize(("baseline", "offset"), [("02.06", "+0"), ("05.09", "-0.1")])
def test_what_was_applied_stands_in_the_tags(project: Path, baseline: str, offset: str) -> None:
    products.write_l1c(project / "in", baseline=baseline)
    folder = preprocess(project, project / "in")
    said = raster.tags(folder / "2023-06-15.tif")["radiometry"]
    assert said.startswith(f"2023-06-15_33UVU, baseline {baseline}: reflectance = number * 0.0001 {offset}; plausible")
    image = raster.read(folder / "2023-06-15.tif").sel(band="B3").to_numpy()
    assert image == pytest.approx(products.ground("B3") + products.AIR["B3"], abs=1.1e-4)


def test_an_offset_of_one_band_is_taken_off_that_band_alone(project: Path) -> None:
    product = products.write_l1c(project / "in")
    edit(product / "MTD_MSIL1C.xml", 'band_id="3">-1000', 'band_id="3">-1050')  # the fourth: B4
    folder = preprocess(project, project / "in")
    image = raster.read(folder / "2023-06-15.tif")
    for band, more in (("B3", 0.0), ("B4", -0.005), ("B8", 0.0)):
        truth = products.ground(band) + products.AIR[band] + more
        np.testing.assert_allclose(image.sel(band=band), truth, atol=1.1e-4)
    said = raster.tags(folder / "2023-06-15.tif")["radiometry"]
    assert "number * 0.0001 -0.1 (B1 B2 B3 B5 B6 B7 B8 B8A B9 B10 B11 B12), number * 0.0001 -0.105 (B4);" in said


def long_names(folder: Path, tiles: Sequence[str]) -> Path:
    """Rewrite compact products, one for each tile, as the one product of old: several granules, long names."""
    stamp, day = "20160606T232310", "20160605T101026"
    root = folder / f"S2A_OPER_PRD_MSIL1C_PDMC_{stamp}_R022_V{day}_{day}.SAFE"
    listed = ""
    for tile in tiles:
        compact = products.write_l1c(folder, day="20160605", tile=tile, baseline="02.02")
        stem = f"L1C_TL_SGS__20160605T153933_A004984_T{tile}"
        granule = root / f"GRANULE/S2A_OPER_MSI_{stem}_N02.02"
        (granule / "QI_DATA").mkdir(parents=True)
        names = {band: f"S2A_OPER_MSI_{stem}_{products.BANDS[band].file_name}" for band in products.BANDS}
        for band, name in names.items():
            target = granule / f"IMG_DATA/{name}.jp2"
            target.parent.mkdir(exist_ok=True)
            shutil.move(image(compact, band), target)
        text = next(compact.rglob("MTD_TL.xml")).read_text()
        if tile != tiles[0]:  # east of the first, with an overlap
            text = text.replace(f"<ULX>{products.LEFT}<", f"<ULX>{products.LEFT + 600}<")
            for file in granule.rglob("*.jp2"):
                products.move_jp2(file, 600)
        mask = f"S2A_OPER_MSK_CLOUDS_SGS__20160605T153933_A004984_T{tile}_B00_MSIL1C.gml"
        (granule / "QI_DATA" / mask).write_text(products.clouds_gml(POLYGONS))
        text = text.replace("</T>", f'<MASK_FILENAME bandId="0" type="MSK_CLOUDS">{mask}</MASK_FILENAME></T>')
        (granule / f"S2A_OPER_MTD_{stem}.xml").write_text(text)
        images = "".join(f"<IMAGE_ID>{name}</IMAGE_ID>" for name in names.values())
        listed += f'<Granule_List><Granules granuleIdentifier="{granule.name}">{images}</Granules></Granule_List>'
        main = (compact / "MTD_MSIL1C.xml").read_text()
        shutil.rmtree(compact)
    head, _, rest = main.partition("<Granule>")
    tail = rest.partition("</Granule>")[2]
    head = head.replace(re.search("<PRODUCT_URI>(.*?)<", head)[1], root.name)  # type: ignore[index]
    name = f"S2A_OPER_MTD_SAFL1C_PDMC_{stamp}_R022_V{day}_{day}.xml"
    (root / name).write_text(head + listed + tail)
    (root / "manifest.safe").write_text("<m/>")
    return root


@pytest.mark.parametrize("packed", [False, True])
def test_a_product_of_2016_with_two_tiles_becomes_one_mosaic(project: Path, packed: bool) -> None:
    product = long_names(project / "in", ("33UVU", "33UWU"))
    if packed:
        products.pack(product)
    found = described(project, project / "in")
    assert [(s.name, s.baseline, s.level) for s in found.scenes] == [
        ("2016-06-05_33UVU", "02.02", "L1C"),
        ("2016-06-05_33UWU", "02.02", "L1C"),
    ]
    assert (found.scenes[0].sun_azimuth, found.scenes[0].sun_zenith) == (151.25, 35.5)
    folder = preprocess(project, project / "in", "product")
    seen = raster.read(folder / "2016-06-05.tif").sel(band="B3").to_numpy()
    assert seen.shape == (products.SIDE, products.SIDE + 60)
    truth = products.ground("B3") + products.AIR["B3"]
    np.testing.assert_allclose(seen[:, :40], truth[:, :40], atol=1.1e-4)
    np.testing.assert_allclose(seen[:, 140:], truth[:, 80:], atol=1.1e-4)
    codes = raster.read_codes(folder / "2016-06-05_mask.tif").to_numpy()[0]
    np.testing.assert_array_equal(codes[:, :60], expected(False)[:, :60])


def image(product: Path, band: str) -> Path:
    (path,) = product.rglob(f"*_{products.BANDS[band].file_name}.jp2")
    return path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def no_band(product: Path) -> None:
    image(product, "B11").unlink()


def another_tile(product: Path) -> None:
    shutil.copy(image(product, "B2"), image(product, "B2").with_name("T33UWU_20230615T101031_B02.jp2"))


def another_baseline(product: Path) -> None:
    products.write_l1c(product.parent, baseline="04.00")


def no_clock(product: Path) -> None:
    edit(product / "MTD_MSIL1C.xml", "2023-06-15T10:10:31.024Z", "2023-06-15")


def no_manifest(product: Path) -> None:
    (product / "manifest.safe").unlink()
    products.pack(product)


def entities(product: Path) -> None:
    path = product / "MTD_MSIL1C.xml"
    path.write_text('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + path.read_text())


def another_size(product: Path) -> None:
    products.write_jp2(image(product, "B4"), np.full((60, 60), 1500, np.uint16), 10)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (no_band, r"image of B11 is missing.*Fetch the product again"),
        (another_size, r"60×60 pixels.*say 120×120"),
        (another_tile, r"tile 33UVU but holds .*T33UWU"),
        (another_baseline, r"is there twice.*04\.00.*05\.09.*preferably the older"),
        (no_clock, "date without a time of day"),
        (no_manifest, r"no manifest\.safe.*Fetch it again"),
        (entities, "declares a document type or entities"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_product_is_named_by_notebook_01(project: Path, spoil: Callable[[Path], None], says: str) -> None:
    spoil(products.write_l1c(project / "in"))
    before = scene.hashes(project / "in")
    with pytest.raises(LulcError, match=says):
        described(project, project / "in")
    assert not (project / "outputs").exists()
    assert scene.hashes(project / "in") == before


@pytest.mark.parametrize("packed", [False, True])
def test_one_damaged_block_leaves_the_cube_as_it_was(project: Path, packed: bool) -> None:
    """The header is sound, so notebook 01 cannot know; the second of two dates is the damaged one."""
    products.write_l1c(project / "in", day="20230615")
    bad = products.write_l1c(project / "in", day="20230705")
    rng = np.random.default_rng(3)
    blocks = rng.integers(1100, 4000, (products.SIDE, products.SIDE)).astype(np.uint16)
    products.write_jp2(image(bad, "B8"), blocks, 10, BLOCKXSIZE=64, BLOCKYSIZE=64)
    folder = preprocess(project, project / "in")
    before = scene.hashes(folder)
    content = bytearray(image(bad, "B8").read_bytes())
    start = content.find(b"\xff\x90\x00\x0a", len(content) // 2)  # where a block begins
    assert start > 0
    content[start : start + 1500] = bytes(1500)
    image(bad, "B8").write_bytes(content)
    if packed:
        products.pack(bad)
    with pytest.raises(LulcError, match=r"(?s)B08\.jp2 could not be read.*damaged.*again"):
        preprocess(project, project / "in", dates=["2023-06-01", "2023-07-31"])
    assert scene.hashes(folder) == before


@pytest.mark.parametrize("packed", [False, True])
def test_damage_that_decodes_is_known_by_the_manifest(project: Path, tmp_path: Path, packed: bool) -> None:
    """One bit of the wavelet coefficients: JPEG 2000 makes other pixels of it, and no error."""
    made = simulate(tmp_path / "sim", size=256, tiles=1, dates=["2022-06-14"])
    path = next(made.scenes[0].rglob("*_B08_10m.jp2"))
    with rasterio.open(path) as file:
        sound = file.read()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    with rasterio.open(path) as file:
        assert (file.read() != sound).any()
    if packed:
        products.pack(made.scenes[0])
    with pytest.raises(LulcError, match=r"(?s)B08_10m\.jp2 is damaged.*manifest.*again"):
        preprocess(project, tmp_path / "sim/scenes", "scl")
    nothing_half_written(project)


def test_an_image_that_somebody_has_made_anew_is_taken(project: Path, tmp_path: Path) -> None:
    """Such as a scene classification corrected by hand: it has another length, which damage does not change."""
    made = simulate(tmp_path / "sim", size=256, tiles=1, dates=["2022-06-14"])
    path = next(made.scenes[0].rglob("*_SCL_20m.jp2"))
    with rasterio.open(path) as file:
        codes, place = np.full(file.shape, 4, np.uint8), file.transform
    codes[:20] = 9
    products.write_jp2(path, codes, 20, transform=place)
    folder = preprocess(project, tmp_path / "sim/scenes", "scl")
    with rasterio.open(folder / "2022-06-14_mask.tif") as file:
        assert (file.read(1)[:40] == Reason.CLOUD).mean() > 0.9


def damage(path: Path) -> None:
    """Store random codes in blocks, and wipe out one of them."""
    with rasterio.open(path) as file:
        shape, place = (file.count, *file.shape), file.transform
    codes = np.random.default_rng(3).integers(0, 12, shape).astype(np.uint8)
    products.write_jp2(path, codes, int(place.a), transform=place, BLOCKXSIZE=32, BLOCKYSIZE=32)
    content = bytearray(path.read_bytes())
    start = content.find(b"\xff\x90\x00\x0a", len(content) // 2)
    assert start > 0
    content[start : start + 100] = bytes(100)
    path.write_bytes(content)


@pytest.mark.parametrize(("mask", "name"), [("scl", "*_SCL_20m.jp2"), ("product", "MSK_CLASSI_B00.jp2")])
def test_a_damaged_mask_leaves_nothing_half_written(project: Path, tmp_path: Path, mask: str, name: str) -> None:
    made = simulate(tmp_path / "sim", size=256, tiles=1, dates=["2022-06-14"])
    damage(next(made.scenes[0].rglob(name)))
    with pytest.raises(LulcError, match=rf"(?s){name.strip('*')} could not be read.*damaged.*again"):
        preprocess(project, tmp_path / "sim/scenes", mask)
    nothing_half_written(project)


def test_a_box_beside_the_products(project: Path) -> None:
    products.write_l1c(project / "in")
    with pytest.raises(LulcError, match=r"does not meet the scenes, which cover 399960 5898840 401160 5900040"):
        preprocess(project, project / "in", bbox=[500000.0, 5800000.0, 501000.0, 5801000.0])
    nothing_half_written(project)


def test_cloud_from_edge_to_edge(project: Path) -> None:
    everywhere = np.zeros((3, 20, 20), np.uint8)
    everywhere[0] = 1
    products.write_l1c(project / "in", clouds=everywhere)
    with pytest.raises(LulcError, match=r"No date is clear enough.*2023-06-15 is 0% clear.*masked, as cloud"):
        preprocess(project, project / "in", "product")
    nothing_half_written(project)


def test_one_date_among_others_under_cloud_is_left_out(project: Path) -> None:
    everywhere = np.zeros((3, 20, 20), np.uint8)
    everywhere[0] = 1
    products.write_l1c(project / "in", clouds=everywhere)
    products.write_l1c(project / "in", day="20230705", clouds=np.zeros((3, 20, 20)))
    assert Cube(preprocess(project, project / "in", "product")).dates == ["2023-07-05"]


def test_a_refused_scene_leaves_the_cube_as_it_was(project: Path) -> None:
    """The metadata of one date deny the offset that its numbers carry."""
    products.write_l1c(project / "in", day="20230615")
    folder = preprocess(project, project / "in")
    before = scene.hashes(folder)
    odd = products.write_l1c(project / "in", day="20230705")
    edit(odd / "MTD_MSIL1C.xml", ">-1000<", ">0<")
    with pytest.raises(LulcError, match=r"2023-07-05_33UVU: offset missed"):
        preprocess(project, project / "in")
    assert scene.hashes(folder) == before
