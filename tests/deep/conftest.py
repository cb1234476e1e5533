"""A cube of seven dates."""

import numpy as np
import pytest

from lulc_kit import raster
from lulc_kit.layout import Layout
from lulc_kit.raster import writing
from tests.deep.series import BOX, DATES, SHAPE, truth


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    layout = Layout(tmp_path_factory.mktemp("study"))
    generator = np.random.default_rng(2)
    for i, date in enumerate(DATES):
        bright = (truth() == 0) == (i < 3)
        image = 0.2 + 0.4 * bright + generator.normal(0, 0.03, (2, *SHAPE))
        mask = np.where(generator.random(SHAPE) < 0.1, 2, 0)
        mask[:4, :4] = 2  # never clear
        mask[10:14, 20:24] = 2 if i in (0, 3, 6) else 0  # hidden on the dates of the fixed sequence
        layer = raster.array(image.astype(np.float32), BOX, ["B4", "B8"])
        writing.write_all(
            [
                writing.reflectance(layout.image(date), layer),
                writing.Output(
                    layout.mask(date), raster.array(mask[None].astype(np.uint8), BOX, ["mask"]), "uint8", None
                ),
            ]
        )
    return layout
