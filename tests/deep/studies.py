"""Studies of 32 × 48 pixels as notebooks 04 and 05 leave them: a stack that says how it was made, and samples."""

import numpy as np
import pandas as pd

from lulc_kit import classes, raster, travel
from lulc_kit.layout import Layout
from lulc_kit.raster import writing
from tests.deep.series import BOX, SHAPE
from tests.labelled import labelled

LEVEL = {"level": "L2A"}
WORKFLOW = classes.scheme("workflow")


def squares(seed, count):
    """Squares of 8 × 8 pixels of so many kinds."""
    return np.kron(np.random.default_rng(seed).permutation(np.arange(24).reshape(4, 6) % count), np.ones((8, 8), int))


def put(folder, name, values=(1, 3), *, seed=1, bands=("B4", "B8"), level="L2A", named=None):
    """Write a study in which the bands tell the classes of these values, all labelled; return its layout."""
    layout, kind = Layout(folder / name), squares(seed, len(values))
    labels = np.array(values, np.uint8)[kind]
    generator = np.random.default_rng(seed)
    numbers = [0.1 * labels * (i + 1) + generator.normal(0, 0.02, SHAPE) for i in range(len(bands))]
    stack = raster.array(np.stack(numbers).astype(np.float32), BOX, list(bands))
    layers = dict.fromkeys(bands, ("bands", "reflectance"))
    writing.write(layout.stack, stack, tags=travel.tag(layers, {travel.ALWAYS: {"level": level}}))
    fold = np.where(np.arange(48) < 24, 1, 2) * np.ones((32, 1), int)
    block = np.kron(np.arange(1, 25).reshape(4, 6), np.ones((8, 8), int))
    folds = {"fold": fold, "block": block, "train_1": fold == 2, "train_2": fold == 1}
    table = pd.DataFrame({"label": labels.ravel(), "fold": fold.ravel(), "block": block.ravel()})
    scheme = named or WORKFLOW.subset(values)
    labelled(table, scheme=scheme, labels=labels, folds=folds, box=BOX).write(layout)
    return layout
