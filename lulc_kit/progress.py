"""Progress as the reader can use it: a bar in JupyterLab or a terminal, plain lines everywhere else."""

import os
import sys
from collections.abc import Iterable, Iterator, Sized
from typing import IO, Any, TypeVar, cast

T = TypeVar("T")


SILENT = 2.0
"""Work that takes no longer than this shows nothing, seconds."""


class _Lines:
    """A stream for tqdm on which every refresh is a line of its own, and none comes twice."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream
        self.last = ""

    def write(self, text: str) -> int:
        text = text.replace("\x1b[A", "").strip()  # tqdm moves the cursor up between nested bars
        if not text or text == self.last:
            return 0
        self.last = text
        return self.stream.write(text + "\n")

    def flush(self) -> None:
        self.stream.flush()


def has_reader() -> bool:
    """Say whether somebody reads along: whether this is a kernel that a person opened, in JupyterLab or the like."""
    return "JPY_SESSION_NAME" in os.environ  # set by Jupyter Server


def bar(total: float | None = None, description: str = "", unit: str = "it") -> Any:
    """A tqdm progress bar suited to where the code runs.

    Parameters
    ----------
    total
        Number of units of the whole work; None if it is not known.
    description
        What is being done, in a few words.
    unit
        Name of one unit; ``"B"`` is scaled to kB, MB, ….

    Returns
    -------
    tqdm.tqdm
        A context manager with ``update(n)``. In JupyterLab it is a widget, in a terminal a text bar, and in a
        notebook run without a reader (papermill), a pipe or a log file a line every five seconds.
    """
    options: dict[str, Any] = {"total": total, "desc": description, "unit": unit, "delay": SILENT}
    if unit == "B":
        options |= {"unit_scale": True, "unit_divisor": 1000}
    if has_reader():
        from tqdm.notebook import tqdm as notebook_tqdm

        return notebook_tqdm(**options)
    from tqdm import tqdm

    if sys.stderr.isatty():
        return tqdm(**options)
    rate = ", {rate_fmt}" if unit == "B" else ""
    lines = f"{{desc}}: {{n_fmt}}/{{total_fmt}} ({{percentage:.0f}} %){rate}, {{elapsed}} passed, {{remaining}} left"
    return tqdm(
        **options,
        file=cast(IO[str], _Lines(sys.stdout)),
        bar_format=lines if total is not None else None,
        mininterval=5.0,
        maxinterval=5.0,
    )


def track(items: Iterable[T], description: str, total: int | None = None, unit: str = "it") -> Iterator[T]:
    """Iterate over ``items`` and show how far it is (see `bar`)."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with bar(total, description, unit) as progress:
        for item in items:
            yield item
            progress.update(1)
