"""Splitters that keep test samples apart from training samples; scikit-learn's ``cv``, on any coordinates.

Neighbouring samples are near-copies of each other. A random split puts copies of the training samples into the test
set and reports how well the model remembers them. The splitters here put whole blocks, polygons, or groups into a fold
together, or match the distances that the map will have, and leave out training samples near a test sample (Roberts et
al. 2017, doi:10.1111/ecog.02881; Ploton et al. 2020, doi:10.1038/s41467-020-18321-y; Linnenbrink et al. 2024,
doi:10.5194/gmd-17-5897-2024).
"""

from lulc_kit.labels.splitters.base import Splitter
from lulc_kit.labels.splitters.blocks import BlockSplit
from lulc_kit.labels.splitters.groups import GroupSplit, PolygonSplit
from lulc_kit.labels.splitters.knndm import KNNDMSplit
from lulc_kit.labels.splitters.single import RandomSplit

SPLITTERS: dict[str, type[Splitter]] = {
    "blocks": BlockSplit,
    "polygons": PolygonSplit,
    "groups": GroupSplit,
    "knndm": KNNDMSplit,
    "random": RandomSplit,
}
"""The splitters by the word that names them in ``05_samples.yaml``."""

__all__ = ["SPLITTERS", "BlockSplit", "GroupSplit", "KNNDMSplit", "PolygonSplit", "RandomSplit", "Splitter"]
