"""The table of `params/sundarbans`, made of the tutorial's scene and its labels.

    python -m benchmarks.sundarbans [--folder data/sundarbans]

The folder is your copy of ``Data/sundarbans_data`` of the repository syamkakarla98/Satellite_Imagery_Analysis: twelve
GeoTIFFs of 2020-01-27 in degrees, whose numbers are reflectance × 65535, and the labels, ``Sundarbands_gt.mat``. The
table has a row for every pixel, those without data included, because the tutorial's number counts them.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
import scipy.io

from lulc_kit import files

FOLDER = Path("data/sundarbans")
LABELS = "Sundarbands_gt.mat"
BANDS = [f"B{number:02d}" for number in range(1, 13) if number != 10] + ["B8A"]


def table(folder: Path) -> pd.DataFrame:
    """Return one row for each pixel: twelve bands, the label, and the place in degrees.

    Parameters
    ----------
    folder
        With the GeoTIFFs and the labels.
    """
    columns = {}
    for band in BANDS:
        (path,) = folder.glob(f"*_{band}_(Raw).tiff")
        with rasterio.open(path) as source:
            columns[band] = source.read(1).ravel().astype(np.float32) / 65535
            rows, cols = np.indices(source.shape)
            x, y = rasterio.transform.xy(source.transform, rows.ravel(), cols.ravel())
    labels = scipy.io.loadmat(folder / LABELS)["gt"].ravel()
    return pd.DataFrame(columns | {"class": labels, "longitude": x, "latitude": y})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="your copy of the tutorial's data")
    folder = parser.parse_args().folder
    if not (folder / LABELS).is_file():
        print(f"No {LABELS} in {folder}: put your copy of the tutorial's data there, or name it by --folder.")
        return 2
    rows = table(folder)
    with files.replacing(FOLDER / "pixels.parquet") as part:
        rows.to_parquet(part)
    print(f"{FOLDER / 'pixels.parquet'}: {len(rows)} pixels. Now: lulc run sundarbans")
    return 0


if __name__ == "__main__":
    sys.exit(main())
