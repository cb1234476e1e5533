"""Whose data a study shows, or that they are simulated: said by its rasters and under its pictures."""

_line = ""


def declare(line: str) -> None:
    """Set the line that rasters and pictures carry from now on; empty for none. `study.begin` does it."""
    global _line
    _line = line


def get() -> str:
    """Return that line."""
    return _line
