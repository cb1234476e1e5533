"""Networks on the disk: Keras' own format, which holds no code, and beside each a card that says what it is."""

from collections.abc import Sequence
from pathlib import Path

import keras

from lulc_kit import files
from lulc_kit.errors import FormatError, LulcError, MissingFileError
from lulc_kit.layout import RunLayout


def save(models: Sequence[keras.Model], run: RunLayout, cards: Sequence[str] = ()) -> None:
    """Store the folds' networks, with their cards (Markdown); what let their training go on is taken away."""
    for k, model in enumerate(models, 1):
        with files.replacing(run.network(k)) as part:
            model.save(part)
    for path in run.models.glob(run.checkpoint("*").name):
        path.unlink()
    for k, card in enumerate(cards, 1):
        files.write_text(run.card(k), card)


def load(run: RunLayout) -> list[keras.Model]:
    """Load the folds' networks (safe mode: a file that holds code is refused).

    Raises
    ------
    LulcError
        If there are none, or a file is damaged, or holds code or layers that are not Keras' own.
    """
    paths = sorted(run.models.glob(run.network("*").name), key=lambda path: (len(path.name), path.name))
    if not paths:
        raise MissingFileError(f"{run.models} has no networks. Run 07_fcn for this run first.")
    return [_load(path) for path in paths]


def _load(path: Path) -> keras.Model:
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # of the archive, of HDF5, of what the file says of its layers
        raise FormatError(
            f"{path} is not a network of this kit ({str(error)[:200]}). Run 07_fcn for this run again."
        ) from error


def check(
    model: keras.Model, bands: Sequence[str], classes: Sequence[str], asked: Sequence[str], more: int = 0
) -> None:
    """Refuse a network of other bands or classes than those that are asked for.

    Parameters
    ----------
    model
        The network.
    bands, classes
        What its run says that it was trained on, in order.
    asked
        The classes of the study now, in order.
    more
        Bands that are not of the image: what is said of each pixel of a date.

    Raises
    ------
    LulcError
        Shows both lists.
    """
    if list(classes) != list(asked):
        raise LulcError(
            f"The network was trained on the classes {', '.join(classes)}; the study has {', '.join(asked)} now. "
            f"Run 07_fcn again."
        )
    size = model.input_shape[-1] - more, model.output_shape[-1]
    if size != (len(bands), len(classes)):
        raise LulcError(
            f"The network takes {size[0]} bands and tells {size[1]} classes, but its run was trained on {len(bands)} "
            f"bands ({', '.join(bands)}) and {len(classes)} classes ({', '.join(classes)}). Run 07_fcn again."
        )
