"""Studies that teach together: each in its place, none seen with another, each its own fold."""

import numpy as np
import pytest

from lulc_kit import raster
from lulc_kit.deep import inner, joined
from lulc_kit.errors import ParameterError
from lulc_kit.samples import Samples
from tests.deep import studies

MARGIN = 40  # more than a study has rows: its mirror image is mirrored


def join(found, margin=MARGIN):
    stacks = {layout.folder.name: raster.read(layout.stack) for layout in found}
    samples = {layout.folder.name: Samples.read(layout) for layout in found}
    return joined.join(stacks, samples, studies.WORKFLOW.subset([1, 3, 5]), margin), stacks, samples


def test_each_study_lies_in_its_own_mirror_image_and_is_a_fold(tmp_path):
    found = [studies.put(tmp_path, name, (1, 3, 5), seed=seed) for seed, name in enumerate("abc")]
    scene, stacks, samples = join(found)
    assert (scene.folds, list(scene.parts)) == (3, ["a", "b", "c"])
    blocks = []
    for number, (name, place) in enumerate(scene.parts.items(), 1):
        around = tuple(slice(part.start - MARGIN, part.stop + MARGIN) for part in place)
        own = np.moveaxis(stacks[name].to_numpy(), 0, -1)
        expected = np.pad(own, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="symmetric")
        np.testing.assert_array_equal(scene.features[around], expected)
        labels = samples[name].on_grid()[0].to_numpy()[0]
        np.testing.assert_array_equal(scene.labels[around], np.pad(labels, MARGIN))
        assert (scene.fold[place] == number).all()
        np.testing.assert_array_equal(scene.trainable[number - 1], (scene.fold > 0) & (scene.fold != number))
        blocks.append(set(np.unique(scene.blocks[place])))
    assert len(set.union(*blocks)) == sum(map(len, blocks)) == 3 * 24
    first = samples["a"]
    assert scene.gap == inner.gap(first.codes("fold"), first.trainable())


def test_studies_of_different_size_lie_under_each_other(tmp_path):
    layout = studies.put(tmp_path, "a", (1, 3, 5))
    stack, samples = raster.read(layout.stack), Samples.read(layout)
    narrow = {"rows": slice(0, 24), "columns": slice(0, 40)}
    cut = np.s_[:, narrow["rows"], narrow["columns"]]
    grid = stack.odc.geobox[cut[1:]]
    small = samples.__class__(
        samples.table, samples.scheme, samples.separation,
        raster.array(samples.labels.to_numpy()[cut], grid, ["label"]),
        raster.array(samples.folds.to_numpy()[cut], grid, [str(b) for b in samples.folds.band.values]),
    )  # fmt: skip
    part = raster.array(stack.to_numpy()[cut], grid, ["B4", "B8"])
    scene = joined.join({"a": stack, "s": part}, {"a": samples, "s": small}, samples.scheme, 8)
    np.testing.assert_array_equal(scene.features[scene.parts["s"]], np.moveaxis(part.to_numpy(), 0, -1))
    np.testing.assert_array_equal(scene.labels[scene.parts["s"]], small.labels.to_numpy()[0])
    assert not scene.valid[scene.parts["s"][0], 40 + 16 :].any(), "nothing lies beside it"


def test_a_class_of_one_study_alone_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="Class Water is labelled in b alone of a, b"):
        join([studies.put(tmp_path, "a", (1, 3)), studies.put(tmp_path, "b", (1, 3, 5))])
