"""The network of the package ``s2super`` (Fibæk 2022, MIT), a peer for `benchmarks.sharpen`.

Only the trained network is taken from its wheel (``pip download --no-deps s2super==1.2.30``, then unzip), because
the package itself needs an older Keras. It is applied as the package does: bands enlarged bilinearly, patches of
64 pixels that overlap, merged by the network's own confidence and the distance from the patch's edge. Its optional
re-fitting to the scene is left out.
"""

from pathlib import Path

import numpy as np
from scipy import ndimage

_PATCH, _STEP = 64, 16


def enlarged(coarse, ratio=2):
    """Bilinear, centred on the pixels."""
    return ndimage.zoom(coarse, (1, ratio, ratio), order=1, mode="nearest", grid_mode=True)


def sharpened(wheel: Path, fine, coarse):
    """Sharpen 20 m bands; ``fine`` is B2, B3, B4, B8, reflectance, of which the network sees the first three."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Session(graph=v1.Graph()) as session:
        model = v1.saved_model.load(session, ["serve"], str(wheel / "s2super" / "s2super_v5"))
        signature = model.signature_def["serving_default"]
        (merged,) = (v.name for v in signature.outputs.values())
        inputs = {int(v.tensor_shape.dim[-1].size): v.name for v in signature.inputs.values()}

        def network(band, colours):
            return session.run(merged, {inputs[1]: band, inputs[3]: colours})

        return np.stack([_band(network, band, fine[:3]) for band in enlarged(coarse)])


def _band(network, band, colours):
    rows, columns = band.shape
    tops, lefts = (sorted({*range(0, n - _PATCH, _STEP), n - _PATCH}) for n in (rows, columns))
    places = [(top, left) for top in tops for left in lefts]
    windows = [np.s_[top : top + _PATCH, left : left + _PATCH] for top, left in places]
    near = np.minimum(np.arange(_PATCH), np.arange(_PATCH)[::-1]) + 1
    tent = np.minimum.outer(near, near).clip(max=4).astype(np.float32)  # the package's distance from the edge: 3
    total, weight = np.zeros((2, rows, columns), np.float32)
    for start in range(0, len(windows), 128):
        part = windows[start : start + 128]
        found = network(
            np.stack([band[w] for w in part])[..., None],
            np.stack([np.moveaxis(colours[:, *w], 0, -1) for w in part]),
        )
        for window, (value, confidence) in zip(part, np.moveaxis(found, -1, 1), strict=True):
            total[window] += tent * confidence * value
            weight[window] += tent * confidence
    return total / np.maximum(weight, 1e-9)
