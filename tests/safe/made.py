"""A small Level-2A product, written file by file, and what users get of it."""

import zipfile
from pathlib import Path

import rasterio
from rasterio.transform import from_origin

from lulc_kit.preprocess import radiometry
from lulc_kit.safe import scene

NAME = "S2A_MSIL2A_20220515T101031_N0400_R022_T33UVU_20220515T142331"
GRANULE = "L2A_T33UVU_A036019_20220515T101033"
SIZE = 60


def tile_xml(size=SIZE, masks='<MASK_FILENAME type="MSK_CLASSI">GRANULE/%s/QI_DATA/MSK_CLASSI_B00.jp2</MASK_FILENAME>'):
    sizes = "".join(
        f'<Size resolution="{r}"><NROWS>{size * 10 // r}</NROWS><NCOLS>{size * 10 // r}</NCOLS></Size>'
        f'<Geoposition resolution="{r}"><ULX>399960</ULX><ULY>5900040</ULY>'
        f"<XDIM>{r}</XDIM><YDIM>-{r}</YDIM></Geoposition>"
        for r in (10, 20, 60)
    )
    return (
        f"<T><Tile_Geocoding><HORIZONTAL_CS_CODE>EPSG:32633</HORIZONTAL_CS_CODE>{sizes}</Tile_Geocoding>"
        "<Mean_Sun_Angle><ZENITH_ANGLE>35.5</ZENITH_ANGLE><AZIMUTH_ANGLE>151.25</AZIMUTH_ANGLE></Mean_Sun_Angle>"
        f"{masks.replace('%s', GRANULE)}</T>"
    )


def product_xml(images, baseline="04.00", offset=-1000, name=NAME, head=""):
    files = "".join(f"<IMAGE_FILE>{image}</IMAGE_FILE>" for image in images)
    offsets = "".join(f'<BOA_ADD_OFFSET band_id="{k}">{offset}</BOA_ADD_OFFSET>' for k in range(13)) if offset else ""
    return f"""{head}<n1:Level-2A_User_Product xmlns:n1="x">
    <PRODUCT_START_TIME>2022-05-15T10:10:31.024Z</PRODUCT_START_TIME>
    <PRODUCT_URI>{name}.SAFE</PRODUCT_URI><PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE>
    <SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME><SENSING_ORBIT_NUMBER>22</SENSING_ORBIT_NUMBER>
    <Granule_List><Granule>{files}</Granule></Granule_List>
    <BOA_QUANTIFICATION_VALUE>10000</BOA_QUANTIFICATION_VALUE>{offsets}</n1:Level-2A_User_Product>"""


def image_of(band, resolution):
    return f"GRANULE/{GRANULE}/IMG_DATA/R{resolution}m/T33UVU_20220515T101031_{band}_{resolution}m"


def reflectance(opened, name):
    """A band as users get it."""
    band = scene.describe_band(opened, name)
    return radiometry.on_grid(band, band.geobox).compute()


def classes(opened):
    band = scene.describe_band(opened, "SCL")
    return radiometry.codes_on_grid(band, band.geobox).compute()


def offsets(opened):
    return {name: band.offset for name, band in opened.bands.items()}


def write_jp2(path, numbers, resolution=10, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {
        "driver": "JP2OpenJPEG", "width": numbers.shape[1], "height": numbers.shape[0], "count": 1,
        "dtype": numbers.dtype, "crs": "EPSG:32633", "QUALITY": "100", "REVERSIBLE": "YES",
        "transform": from_origin(399960, 5900040, resolution, resolution),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile | options) as file:
        file.write(numbers, 1)


def zipped(root, top=None):
    path = root.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in root.rglob("*"):
            archive.write(file, Path(top or root.name) / file.relative_to(root))
    return path
