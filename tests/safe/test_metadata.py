"""What metadata say: values copied by hand from real ones, every format, and what contradicts itself."""

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import rasterio

from lulc_kit.errors import LulcError
from lulc_kit.safe import product as safe
from lulc_kit.safe import scene
from tests.safe.made import (
    GRANULE,
    SIZE,
    classes,
    image_of,
    offsets,
    product_xml,
    reflectance,
    tile_xml,
    write_jp2,
)

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "safe_metadata"
shared = pytest.mark.shared


def real(level: str) -> Path:
    if not SHARED.is_dir():
        pytest.skip("the development data safe_metadata are not beside the checkout")
    return next(SHARED.glob(f"*_MSI{level}_*"))


@shared
def test_real_l1c_of_baseline_0206():
    product = safe.open_product(real("L1C"))
    assert (product.level, product.processing_baseline, product.tile) == ("L1C", "02.06", "31TDH")
    assert product.sensing == dt.datetime(2018, 1, 1, 10, 54, 41, 26000, dt.UTC)
    assert (product.satellite, product.orbit, product.quantification) == ("Sentinel-2A", 51, 10000)
    assert set(offsets(product).values()) == {0.0}
    assert len(product.bands) == 13
    assert (product.nodata, product.saturated) == (0, 65535)
    assert product.sun_zenith == 67.0354071200132
    assert product.sun_azimuth == 166.328513490143
    assert product.cloud_percentage == 11.9204
    assert product.degraded_percentage == 0.0
    assert product.quality["RADIOMETRIC_QUALITY"] == "PASSED"
    assert product.cloud_mask.endswith("QI_DATA/MSK_CLOUDS_B00.gml")
    assert product.scl is None
    assert product.crs == "EPSG:32631"
    assert product.transforms[60][:6] == (60, 0, 399960, 0, -60, 4800000)
    assert not product.simulated


@shared
def test_real_l2a_of_baseline_0509():
    product = safe.open_product(real("L2A"))
    assert (product.level, product.processing_baseline, product.tile) == ("L2A", "05.09", "01KAB")
    assert set(offsets(product).values()) == {-1000.0}
    assert "B10" not in product.bands
    assert len(product.bands) == 12
    assert product.degraded_percentage == 0.0012
    assert product.cloud_mask.endswith("QI_DATA/MSK_CLASSI_B00.jp2")
    assert sorted(product.bands["B5"].images) == [20, 60]
    assert product.scl.endswith("IMG_DATA/R20m/T01KAB_20230821T221941_SCL_20m.jp2")
    assert product.crs == "EPSG:32701"
    assert product.shapes == {10: (10980, 10980), 20: (5490, 5490), 60: (1830, 1830)}
    with pytest.raises(LulcError, match="image of B2 is missing"):
        safe.image(product, "B2")


@pytest.mark.parametrize("psd", ["psd-12", "psd-13", "psd-14", "psd-15"])
@pytest.mark.parametrize(
    "baseline", ["02.04", "02.05", "02.06", "02.07", "02.14", "03.00", "03.01", "04.00", "05.00", "05.09", "05.11"]
)
def test_every_baseline_in_every_format_is_read_by_what_it_declares(product, baseline, psd):
    """The offset is there if the metadata say so, whatever the baseline, the format's namespace and the date."""
    for offset in (0, -1000):
        text = product_xml([image_of("B02", 10)], baseline, offset).replace(
            'xmlns:n1="x"', f'xmlns:n1="https://{psd}.sentinel2.eo.esa.int/PSD/User_Product_Level-2A.xsd"'
        )
        (product / "MTD_MSIL2A.xml").write_text(text)
        opened = safe.open_product(product)
        assert (opened.processing_baseline, set(offsets(opened).values())) == (baseline, {float(offset)})


def test_before_0400_no_offset(product):
    images = [image_of("B02", 10)]
    (product / "MTD_MSIL2A.xml").write_text(product_xml(images, "03.01", 0))
    opened = safe.open_product(product)
    assert opened.bands["B2"].offset == 0
    assert reflectance(opened, "B2")[0, 3] == pytest.approx(1.1)


def test_l1c_since_0400_declares_its_offset_by_another_name(product):
    text = product_xml([image_of("B02", 10)]).replace("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET")
    text = text.replace("BOA_QUANTIFICATION", "QUANTIFICATION").replace("Level-2A", "Level-1C")
    (product / "MTD_MSIL2A.xml").unlink()
    (product / "MTD_MSIL1C.xml").write_text(text)
    opened = safe.open_product(product)
    assert opened.level == "L1C"
    assert opened.bands["B10"].offset == -1000
    assert reflectance(opened, "B2")[0, 3] == pytest.approx(1.0)


def test_old_format_with_two_tiles(tmp_path):
    """Before December 2016: long names, several granules, images named but not located."""
    name = "S2A_OPER_PRD_MSIL1C_PDMC_20160606T232310_R022_V20160605T101026_20160605T101026"
    granules = [f"S2A_OPER_MSI_L1C_TL_SGS__20160605T153933_A004984_T{tile}_N02.02" for tile in ("33UVU", "33UWU")]
    root = tmp_path / f"{name}.SAFE"
    listed = ""
    for granule in granules:
        stem = granule.replace("_N02.02", "_B02")
        image = f"<IMAGE_ID>{stem}</IMAGE_ID>"
        listed += f'<Granule_List><Granules granuleIdentifier="{granule}">{image}</Granules></Granule_List>'
        write_jp2(root / f"GRANULE/{granule}/IMG_DATA/{stem}.jp2", np.full((SIZE, SIZE), 1500, np.uint16))
        clouds = f'<MASK_FILENAME bandId="0" type="MSK_CLOUDS">{stem[:-3]}MSK_CLOUDS_B00.gml</MASK_FILENAME>'
        (root / f"GRANULE/{granule}/S2A_OPER_MTD_L1C_TL.xml").write_text(tile_xml(masks=clouds))
    (root / "S2A_OPER_MTD_SAFL1C_PDMC_20160606T232310.xml").write_text(
        "<n:Level-1C_User_Product xmlns:n='x'>"
        "<PRODUCT_START_TIME>2016-06-05T10:10:26.000Z</PRODUCT_START_TIME>"
        f"<PRODUCT_URI>{name}</PRODUCT_URI><PROCESSING_BASELINE>02.02</PROCESSING_BASELINE>{listed}"
        "<SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME><SENSING_ORBIT_NUMBER>22</SENSING_ORBIT_NUMBER>"
        "<QUANTIFICATION_VALUE>10000</QUANTIFICATION_VALUE></n:Level-1C_User_Product>"
    )
    with pytest.raises(LulcError, match=r"tiles 33UVU, 33UWU.*tile=…"):
        safe.open_product(root)
    assert [(p.tile, p.path) for p in safe.open_products(tmp_path)] == [("33UVU", root), ("33UWU", root)]
    opened = safe.open_product(root, tile="T33UWU")
    assert (opened.tile, opened.level, opened.processing_baseline) == ("33UWU", "L1C", "02.02")
    assert reflectance(opened, "B2").mean() == pytest.approx(0.15)
    assert opened.cloud_mask.endswith(f"GRANULE/{granules[1]}/QI_DATA/{granules[1][:-6]}MSK_CLOUDS_B00.gml")


def test_old_level_2a_names_its_scene_classification_as_no_other(tmp_path):
    """Sen2Cor 2.0 to 2.3: …_USER_MSI_…_B02_10m and …_USER_SCL_…_20m, in a folder named by the granule."""
    name = "S2A_USER_PRD_MSIL2A_PDMC_20160606T232310_R022_V20160605T101026_20160605T101026"
    granule = "S2A_USER_MSI_L2A_TL_SGS__20160605T153933_A004984_T33UVU_N02.04"
    stem = "L2A_TL_SGS__20160605T153933_A004984_T33UVU"
    root = tmp_path / f"{name}.SAFE"
    images = root / "GRANULE" / granule / "IMG_DATA"
    write_jp2(images / "R10m" / f"S2A_USER_MSI_{stem}_B02_10m.jp2", np.full((SIZE, SIZE), 1500, np.uint16))
    write_jp2(images / f"S2A_USER_SCL_{stem}_20m.jp2", np.full((SIZE // 2, SIZE // 2), 4, np.uint8), 20)
    (root / "GRANULE" / granule / "S2A_USER_MTD_L2A_TL_SGS__20160605T153933_A004984_T33UVU.xml").write_text(
        tile_xml(masks="")
    )
    (root / "S2A_USER_MTD_SAFL2A_PDMC_20160606T232310.xml").write_text(first_l2a_xml(name, granule, f"MSI_{stem}"))
    opened = safe.open_product(root)
    assert (opened.tile, opened.level, opened.processing_baseline) == ("33UVU", "L2A", "02.04")
    assert reflectance(opened, "B2").mean() == pytest.approx(0.15)
    assert (classes(opened) == 4).all()
    assert sorted(opened.bands["B2"].images) == [10]


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
def test_level_2a_of_2017_has_compact_folders_and_long_identifiers(tmp_path):
    """Baselines 02.05 and 02.06 of the first months of Level-2A; GDAL's driver finds the same granule."""
    name = "S2A_MSIL2A_20170823T094031_N0205_R036_T33UVU_20170823T094252"
    identifier = "S2A_USER_MSI_L2A_TL_SGS__20170823T133142_A011330_T33UVU_N02.05"
    granule = "L2A_T33UVU_A011330_20170823T094252"
    root = tmp_path / f"{name}.SAFE"
    images = root / "GRANULE" / granule / "IMG_DATA"
    write_jp2(images / "R10m" / "L2A_T33UVU_20170823T094031_B02_10m.jp2", np.full((SIZE, SIZE), 1500, np.uint16))
    write_jp2(images / "R20m" / "L2A_T33UVU_20170823T094031_SCL_20m.jp2", np.full((30, 30), 4, np.uint8), 20)
    tile = tile_xml(masks="").replace("<T>", "<Level-2A_Tile_ID><Geometric_Info>")  # as GDAL wants it
    (root / "GRANULE" / granule / "MTD_TL.xml").write_text(tile.replace("</T>", "</Geometric_Info></Level-2A_Tile_ID>"))
    text = first_l2a_xml(name, identifier, "MSI_L2A_TL_SGS__20170823T133142_A011330_T33UVU")
    compact = "<PRODUCT_FORMAT>SAFE_COMPACT</PRODUCT_FORMAT><PRODUCT_TYPE>"
    (root / "MTD_MSIL2A.xml").write_text(text.replace("02.04", "02.05").replace("<PRODUCT_TYPE>", compact))
    with rasterio.open(root / "MTD_MSIL2A.xml") as file:
        assert file.driver == "SENTINEL2"
        subset = next(s for s in file.subdatasets if ":10m:" in s)
    with rasterio.open(subset) as file:
        assert file.crs.to_epsg() == 32633
        theirs = file.transform
    opened = safe.open_product(root)
    assert (opened.tile, opened.processing_baseline) == ("33UVU", "02.05")
    assert scene.describe_band(opened, "B2").geobox.affine == theirs
    assert reflectance(opened, "B2").mean() == pytest.approx(0.15)
    assert (classes(opened) == 4).all()
    assert opened.scl.endswith(f"GRANULE/{granule}/IMG_DATA/R20m/L2A_T33UVU_20170823T094031_SCL_20m.jp2")


@pytest.mark.parametrize(
    "stranger",
    [
        f"GRANULE/{GRANULE}/IMG_DATA/R10m/T33UWU_20220515T101031_B02_10m.jp2",
        "GRANULE/L2A_T33UWU_A036019_20220515T101033/MTD_TL.xml",
    ],
)
def test_wrong_tile_in_the_folder(product, stranger):
    (product / stranger).parent.mkdir(parents=True, exist_ok=True)
    (product / stranger).write_text("x")
    with pytest.raises(LulcError, match=r"tile 33UVU but holds .*T33UWU"):
        safe.open_product(product)


def test_granule_without_metadata(product):
    (product / "GRANULE" / GRANULE / "MTD_TL.xml").unlink()
    with pytest.raises(LulcError, match=r"no metadata of its granule"):
        safe.open_product(product)


@pytest.mark.parametrize(
    ("file", "good", "bad"),
    [
        ("MTD_MSIL2A.xml", "10000</BOA", "inf</BOA"),
        ("MTD_MSIL2A.xml", '"11">-1000', '"11">nan'),
        ("MTD_MSIL2A.xml", "04.00</PROC", "four</PROC"),
        ("MTD_TL.xml", "EPSG:32633", "EPSG:32661"),
        ("MTD_TL.xml", "<NROWS>60", "<NROWS>-60"),
        ("MTD_TL.xml", "<ULX>399960", "<ULX>nan"),
        ("MTD_TL.xml", "<XDIM>10", "<XDIM>0"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(product, file, good, bad):
    metadata = next(product.rglob(file))
    text = metadata.read_text()
    assert good in text
    metadata.write_text(text.replace(good, bad))
    with pytest.raises(LulcError, match="The metadata of"):
        safe.open_product(product)


def test_broken_xml_and_malformed_values(product):
    metadata = product / "MTD_MSIL2A.xml"
    text = metadata.read_text()
    metadata.write_text(text[: len(text) // 2])
    with pytest.raises(LulcError, match="not readable XML"):
        safe.open_product(product)
    metadata.write_text(text.replace("<SENSING_ORBIT_NUMBER>22", "<SENSING_ORBIT_NUMBER>many"))
    with pytest.raises(LulcError, match=r"malformed.*'many'"):
        safe.open_product(product)
    metadata.write_text(text.replace("2022-05-15T10:10:31.024Z", "2022-05-15"))
    with pytest.raises(LulcError, match="date without a time of day"):
        safe.open_product(product)
    metadata.write_text(text.replace("BOA_QUANTIFICATION_VALUE", "GONE"))
    with pytest.raises(LulcError, match="no BOA_QUANTIFICATION_VALUE"):
        safe.open_product(product)
    metadata.write_text(text.replace('<BOA_ADD_OFFSET band_id="3">-1000</BOA_ADD_OFFSET>', ""))
    with pytest.raises(LulcError, match="not for B4"):
        safe.open_product(product)


def test_metadata_that_point_outside(product):
    (product / "MTD_MSIL2A.xml").write_text(product_xml(["GRANULE/../../../secret_B02"]))
    with pytest.raises(LulcError, match="outside of the product"):
        safe.open_product(product)


def first_l2a_xml(name, granule, image):
    """The elements by which Level-2A metadata of before 2018 differ, as GDAL's driver for Sentinel-2 has them."""
    return (
        '<n1:Level-2A_User_Product xmlns:n1="https://psd-12.sentinel2.eo.esa.int/PSD/User_Product_Level-2A.xsd">'
        "<n1:General_Info><L2A_Product_Info>"
        "<PRODUCT_START_TIME>2016-06-05T10:10:26.000Z</PRODUCT_START_TIME>"
        f"<PRODUCT_URI_1C>{name.replace('MSIL2A', 'MSIL1C')}.SAFE</PRODUCT_URI_1C>"
        f"<PRODUCT_URI_2A>{name}.SAFE</PRODUCT_URI_2A>"
        "<PROCESSING_BASELINE>02.04</PROCESSING_BASELINE><PRODUCT_TYPE>S2MSI2Ap</PRODUCT_TYPE>"
        "<Datatake><SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME><SENSING_ORBIT_NUMBER>22</SENSING_ORBIT_NUMBER>"
        "</Datatake><L2A_Product_Organisation>"
        + "".join(
            f'<Granule_List><Granules granuleIdentifier="{granule}"><IMAGE_ID_2A>S2A_USER_{image}_{band}_{step}m'
            "</IMAGE_ID_2A></Granules></Granule_List>"
            for band, step in (("B02", 10), ("B05", 20))
        )
        + "</L2A_Product_Organisation></L2A_Product_Info><L2A_Product_Image_Characteristics>"
        "<L1C_L2A_Quantification_Values_List><L1C_TOA_QUANTIFICATION_VALUE>1000</L1C_TOA_QUANTIFICATION_VALUE>"
        "<L2A_BOA_QUANTIFICATION_VALUE>10000</L2A_BOA_QUANTIFICATION_VALUE></L1C_L2A_Quantification_Values_List>"
        "</L2A_Product_Image_Characteristics></n1:General_Info></n1:Level-2A_User_Product>"
    )
