"""Colours: told apart by people who lack a kind of cone, and as many as there are classes."""

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from lulc_kit import palette

# Machado, Oliveira & Fernandes 2009, doi:10.1109/TVCG.2009.113, severity 1.0; applied to linear RGB.
SEEN_BY = {
    "normal": np.eye(3),
    "protanope": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranope": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanope": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def seen(colours, matrix):
    rgb = np.array([list(bytes.fromhex(c[1:])) for c in colours]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ np.array(matrix).T
    linear = np.clip(linear, 0, 1)
    return rgb2lab(np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055))


@pytest.mark.parametrize("who", SEEN_BY)
def test_fourteen_classes_are_told_apart(who):
    assert len(palette.DISTINCT) >= 12
    lab = seen([*palette.DISTINCT, "#d9d9d9"], SEEN_BY[who])  # and from nodata
    apart = deltaE_ciede2000(lab[:, None], lab[None])
    assert apart[~np.eye(len(lab), dtype=bool)].min() > 8


@pytest.mark.parametrize("count", [0, 1, 12, 40, 255])
def test_as_many_different_colours_as_wanted(count):
    found = palette.colours(count)
    assert len(set(found)) == len(found) == count
    assert found[:14] == palette.DISTINCT[:count]
