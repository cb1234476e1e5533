"""The simulated products read as a careful stranger would, without the kit."""

import datetime as dt
import re
from pathlib import Path

import numpy as np
import rasterio

SIZE = 300
BAND_IDS = ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12"]


def metadata(product: Path) -> str:
    return (product / "MTD_MSIL2A.xml").read_text(encoding="utf-8")


def image(product: Path, kind: str) -> np.ndarray:
    with rasterio.open(next(product.glob(f"GRANULE/*/IMG_DATA/*/*_{kind}_*.jp2"))) as file:
        return file.read(1)


def reflectance(product: Path, band: str) -> np.ndarray:
    """Read as a careful stranger would: the offset of that band from the XML, 0 is no data."""
    offset = re.search(rf'<BOA_ADD_OFFSET band_id="{BAND_IDS.index(band)}">(-?\d+)<', metadata(product))
    numbers = image(product, band if band == "B8A" else f"B{int(band[1:]):02d}")
    value = (numbers + float(offset.group(1) if offset else 0)) / 10000
    return np.where(numbers == 0, np.nan, value)


def on(study, date, tile="33UVU"):
    return next(p for p in study.scenes if f"_{date:%Y%m%d}T" in p.name and f"_T{tile}_" in p.name)


def date_of(product: Path) -> dt.date:
    return dt.datetime.strptime(product.name[11:19], "%Y%m%d").date()


def baseline(product: Path) -> str:
    return product.name[28:30] + "." + product.name[30:32]


def mask_on(study, date):
    with rasterio.open(study.folder / "truth" / f"mask_{date}.tif") as file:
        return file.read(1)
