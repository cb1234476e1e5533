"""Simulated Level-1C products in SAFE layout, so small that a test knows every number; and a stand-in for Sen2Cor.

120 × 120 pixels of 10 m: land of random brightness with a lake, seen through air whose path reflectance is known.
"""

import shutil
import stat
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

from lulc_kit.sentinel2 import BANDS

SIDE, LEFT, TOP, CRS = 120, 399960, 5900040, "EPSG:32633"
AIR = {name: 0.012 * band.wavelength**-1.8 for name, band in BANDS.items()}
"""Path reflectance that was added to the ground: a power law, as scattering has it."""
CLOUD = (slice(0, 30), slice(60, 90))
"""Rows and columns that the stand-in for Sen2Cor calls cloud."""


def ground(band: str) -> np.ndarray:
    """Return the reflectance of the ground at the band's own resolution; a lake of 1.0 to 1.4 % in one corner."""
    step = BANDS[band].resolution // 10
    chance = np.random.default_rng(list(BANDS).index(band))
    fine = chance.uniform(0.06, 0.4, (SIDE, SIDE))
    fine[60:, :60] = chance.uniform(0.01, 0.014, (60, 60))
    return fine.reshape(SIDE // step, step, SIDE // step, step).mean(axis=(1, 3))


def granule_xml(masks: str = "", degraded: float = 0.0) -> str:
    """Text of MTD_TL.xml."""
    places = "".join(
        f'<Size resolution="{r}"><NROWS>{SIDE * 10 // r}</NROWS><NCOLS>{SIDE * 10 // r}</NCOLS></Size>'
        f'<Geoposition resolution="{r}"><ULX>{LEFT}</ULX><ULY>{TOP}</ULY><XDIM>{r}</XDIM><YDIM>-{r}</YDIM>'
        "</Geoposition>"
        for r in (10, 20, 60)
    )
    return (
        f"<T><Tile_Geocoding><HORIZONTAL_CS_CODE>{CRS}</HORIZONTAL_CS_CODE>{places}</Tile_Geocoding>"
        "<Mean_Sun_Angle><ZENITH_ANGLE>35.5</ZENITH_ANGLE><AZIMUTH_ANGLE>151.25</AZIMUTH_ANGLE></Mean_Sun_Angle>"
        f"<Image_Content_QI><DEGRADED_MSI_DATA_PERCENTAGE>{degraded}</DEGRADED_MSI_DATA_PERCENTAGE></Image_Content_QI>"
        f"{masks}</T>"
    )


def clouds_gml(shapes: Sequence[tuple[str, Sequence[tuple[float, float]]]]) -> str:
    """Text of a vector cloud mask, in the form of the real ones: pairs of type and ring."""
    members = "".join(
        f'<eop:MaskFeature gml:id="{kind}.{n}"><eop:maskType codeSpace="urn:gs2:S2PDGS:maskType">{kind}</eop:maskType>'
        f'<eop:extentOf><gml:Polygon gml:id="{kind}.{n}_Polygon"><gml:exterior><gml:LinearRing>'
        f'<gml:posList srsDimension="2">{" ".join(f"{x} {y}" for x, y in ring)}</gml:posList>'
        "</gml:LinearRing></gml:exterior></gml:Polygon></eop:extentOf></eop:MaskFeature>"
        for n, (kind, ring) in enumerate(shapes)
    )
    return (
        '<eop:Mask xmlns:eop="http://www.opengis.net/eop/2.0" xmlns:gml="http://www.opengis.net/gml/3.2">'
        '<gml:boundedBy><gml:Envelope srsName="urn:ogc:def:crs:EPSG:8.7:32633"/></gml:boundedBy>'
        f"<eop:maskMembers>{members}</eop:maskMembers></eop:Mask>"
    )


def write_jp2(path: Path, numbers: np.ndarray, resolution: int, **options: object) -> None:
    """Write a lossless JPEG 2000 image, (row, column) or (layer, row, column)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    layers = numbers if numbers.ndim == 3 else numbers[None]
    profile = {
        "driver": "JP2OpenJPEG", "count": len(layers), "height": layers.shape[1], "width": layers.shape[2],
        "dtype": layers.dtype, "crs": CRS, "transform": from_origin(LEFT, TOP, resolution, resolution),
        "QUALITY": "100", "REVERSIBLE": "YES",
    }  # fmt: skip
    with rasterio.Env(GDAL_PAM_ENABLED="NO"), rasterio.open(path, "w", **profile | options) as file:
        file.write(layers)


def move_jp2(path: Path, east: int) -> None:
    """Write an image anew, so many metres farther east."""
    with rasterio.open(path) as file:
        numbers, resolution = file.read(), int(file.transform.a)
    write_jp2(path, numbers, resolution, transform=from_origin(LEFT + east, TOP, resolution, resolution))


def write_l1c(
    folder: Path,
    *,
    day: str = "20230615",
    tile: str = "33UVU",
    baseline: str = "05.09",
    degraded: float = 0.0,
    failed: str = "",
    clouds: np.ndarray | str | None = None,
) -> Path:
    """Write a whole product; ``clouds`` is the text of its vector mask, or its raster mask (layer, row, column)."""
    name = f"S2A_MSIL1C_{day}T101031_N{baseline.replace('.', '')}_R022_T{tile}_{day}T142331"
    granule = f"GRANULE/L1C_T{tile}_A041671_{day}T101033"
    root = folder / f"{name}.SAFE"
    offset = -1000 if baseline >= "04.00" else 0
    images = {}
    for key, band in BANDS.items():
        images[key] = f"{granule}/IMG_DATA/T{tile}_{day}T101031_{band.file_name}"
        numbers = np.rint((ground(key) + AIR[key]) * 10000 - offset).astype(np.uint16)
        write_jp2(root / f"{images[key]}.jp2", numbers, band.resolution)
    masks = ""
    if clouds is not None:
        kind = "MSK_CLOUDS_B00.gml" if isinstance(clouds, str) else "MSK_CLASSI_B00.jp2"
        path = root / granule / "QI_DATA" / kind
        path.parent.mkdir()
        if isinstance(clouds, str):
            path.write_text(clouds)
        else:
            write_jp2(path, clouds.astype(np.uint8), 60)
        masks = f'<MASK_FILENAME type="{kind[:10]}">{granule}/QI_DATA/{kind}</MASK_FILENAME>'
    (root / granule / "MTD_TL.xml").write_text(granule_xml(masks, degraded))
    (root / "DATASTRIP" / "DS_1").mkdir(parents=True)
    offsets = "".join(f'<RADIO_ADD_OFFSET band_id="{n}">{offset}</RADIO_ADD_OFFSET>' for n in range(13))
    checks = {"SENSOR_QUALITY": "PASSED", "GENERAL_QUALITY": "PASSED"} | ({failed: "FAILED"} if failed else {})
    (root / "MTD_MSIL1C.xml").write_text(
        '<n1:Level-1C_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-1C.xsd">'
        f"<PRODUCT_URI>{name}.SAFE</PRODUCT_URI><PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE>"
        "<SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME><SENSING_ORBIT_NUMBER>22</SENSING_ORBIT_NUMBER>"
        f"<DATATAKE_SENSING_START>{day[:4]}-{day[4:6]}-{day[6:]}T10:10:31.024Z</DATATAKE_SENSING_START>"
        f"<Granule>{''.join(f'<IMAGE_FILE>{i}</IMAGE_FILE>' for i in images.values())}</Granule>"
        f"<QUANTIFICATION_VALUE>10000</QUANTIFICATION_VALUE>{offsets if offset else ''}"
        "<Cloud_Coverage_Assessment>12.5</Cloud_Coverage_Assessment>"
        + "".join(f'<quality_check checkType="{n}">{result}</quality_check>' for n, result in checks.items())
        + "</n1:Level-1C_User_Product>"
    )
    (root / "manifest.safe").write_text("<m/>")
    return root


def pack(product: Path, target: Path | None = None) -> Path:
    """Pack a product as the services do: a zip archive with the .SAFE folder in it; the folder goes."""
    path = (target or product.parent) / f"{product.stem}.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(product.rglob("*")):
            archive.write(file, Path(product.name) / file.relative_to(product))
    shutil.rmtree(product)
    return path


STAND_IN = r'''#!{python}
"""A stand-in for Sen2Cor 2.11: takes the known air off, and calls one patch cloud."""
import argparse, re, shutil, sys
from pathlib import Path
sys.path.insert(0, {repository!r})

banner = ("Sentinel-2 Level 2A Processor (Sen2Cor). Version: 02.11.00, created: 2022.06.09, "
          "supporting Level-1C product version 14.2 - 14.9")
parser = argparse.ArgumentParser(description=banner + ".")
parser.add_argument("input_dir")
parser.add_argument("--resolution", type=int, choices=[10, 20, 60])
parser.add_argument("--output_dir")
args = parser.parse_args()

import numpy as np, rasterio
from tests import products
from tests.products import AIR, BANDS, CLOUD, SIDE

source = Path(args.input_dir)
print(banner + " started ...", flush=True)
if (source / "refuse.txt").exists():
    print("IOError: [Errno 28] No space left on device\nProgress[%]: 100.00 : "
          "Application terminated with at least one error.\n")
    sys.exit(1)
name = re.sub(r"_N\d{{4}}_", "_N9999_", source.name.replace("MSIL1C", "MSIL2A"))
root = Path(args.output_dir) / name
text = (source / "MTD_MSIL1C.xml").read_text()
granule = next((source / "GRANULE").iterdir())
images = f"GRANULE/{{granule.name.replace('L1C', 'L2A')}}/IMG_DATA"
listed = []
for number, (key, band) in enumerate(BANDS.items()):
    own = band.resolution
    if key == "B10":
        continue
    (path,) = granule.glob(f"IMG_DATA/*_{{band.file_name}}.jp2")
    with rasterio.open(path) as file:
        seen = file.read(1).astype(float) - (1000 if "RADIO_ADD_OFFSET" in text else 0)
    listed.append(f"{{images}}/R{{own}}m/{{path.stem}}_{{own}}m")
    numbers = np.rint(seen - AIR[key] * 10000 + 1000).astype(np.uint16)
    products.write_jp2(root / f"{{listed[-1]}}.jp2", numbers, own)
    print(f"Progress[%]: {{7 * number + 7}}.00 : PID-1, L2A_AtmCorr: elapsed time[s]: 0.1, total: 0:00:01", flush=True)
fine = np.full((SIDE, SIDE), 4, np.uint8)
fine[CLOUD] = 9
listed.append(f"{{images}}/R20m/{{path.stem[:-4]}}_SCL_20m")
products.write_jp2(root / f"{{listed[-1]}}.jp2", fine[::2, ::2], 20)
shutil.copy(granule / "MTD_TL.xml", root / "GRANULE" / granule.name.replace("L1C", "L2A"))
offsets = "".join(f'<BOA_ADD_OFFSET band_id="{{n}}">-1000</BOA_ADD_OFFSET>' for n in range(13))
(root / "MTD_MSIL2A.xml").write_text(
    "<n1:Level-2A_User_Product xmlns:n1='https://psd-14'>"
    f"<PRODUCT_URI>{{name}}</PRODUCT_URI><PROCESSING_BASELINE>99.99</PROCESSING_BASELINE>"
    + re.search("<SPACECRAFT_NAME>.*</DATATAKE_SENSING_START>", text)[0]
    + f"<Granule>{{''.join(f'<IMAGE_FILE>{{i}}</IMAGE_FILE>' for i in listed)}}</Granule>"
    + f"<BOA_QUANTIFICATION_VALUE>10000</BOA_QUANTIFICATION_VALUE>{{offsets}}</n1:Level-2A_User_Product>"
)
print("Progress[%]: 100.00 : Application terminated successfully.\n", flush=True)
'''


def install_sen2cor(folder: Path) -> Path:
    """Put the stand-in where an installer would put Sen2Cor; return its folder."""
    program = folder / "Sen2Cor-02.11.00-Linux64" / "bin" / "L2A_Process"
    program.parent.mkdir(parents=True)
    program.write_text(STAND_IN.format(python=sys.executable, repository=str(Path(__file__).parents[1])))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program.parents[1]
