"""The products' files against the format: GDAL's own driver, names, manifest, cloud masks."""

import re

import numpy as np
import rasterio
from defusedxml import ElementTree

from tests.simulated.seen import SIZE, baseline, image, metadata


def test_gdal_reads_every_product_with_its_own_driver(study):
    assert len(study.scenes) == 20
    for product in study.scenes[::5]:
        with rasterio.open(product / "MTD_MSIL2A.xml") as file:
            assert file.driver == "SENTINEL2"
            subsets = {name.split(":")[-2]: name for name in file.subdatasets}
            assert file.tags()["PRODUCT_URI"] == product.name
            assert file.tags()["PROCESSING_BASELINE"] == baseline(product)
        for resolution, bands in (
            ("10m", ["B4", "B3", "B2", "B8"]),
            ("20m", ["B5", "B6"]),
            ("60m", ["B1", "B9"]),
        ):
            with rasterio.open(subsets[resolution]) as file:
                step = int(resolution[:-1])
                assert file.crs.to_epsg() == 32633
                assert file.shape == (SIZE * 10 // step,) * 2
                assert file.transform.a == step
                for k, band in enumerate(bands, start=1):
                    tags = file.tags(k)
                    assert tags["BANDNAME"] == band
                    assert tags.get("BOA_ADD_OFFSET", "0") == ("-1000" if baseline(product) >= "04.00" else "0")
                    assert np.array_equal(file.read(k), image(product, f"B{int(band[1:]):02d}"))


def test_names_follow_the_convention_and_all_files_are_in_the_manifest(study):
    pattern = r"S2[AB]_MSIL2A_\d{8}T\d{6}_N\d{4}_R\d{3}_T\d{2}[A-Z]{3}_\d{8}T\d{6}\.SAFE"
    for product in study.scenes:
        assert re.fullmatch(pattern, product.name)
        locations = ElementTree.parse(product / "manifest.safe").iter("fileLocation")
        listed = {element.get("href").removeprefix("./") for element in locations}
        present = {path.relative_to(product).as_posix() for path in product.rglob("*") if path.is_file()}
        assert listed == present - {"manifest.safe"}
        assert not any(name.endswith(".aux.xml") for name in present)
        named = {f"{text}.jp2" for text in re.findall("<IMAGE_FILE>(.*?)<", metadata(product))}
        assert {name for name in present if "IMG_DATA" in name} == named


def test_cloud_masks_are_polygons_before_0400_and_rasters_since(study):
    for product in study.scenes:
        names = {path.name for path in product.glob("GRANULE/*/QI_DATA/*")}
        expected = "MSK_CLASSI_B00.jp2" if baseline(product) >= "04.00" else "MSK_CLOUDS_B00.gml"
        assert names == {expected}
        assert expected in next(product.glob("GRANULE/*/MTD_TL.xml")).read_text()
