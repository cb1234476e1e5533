"""Letters of all scripts in pictures: the fonts of the computer that have them, and a word where none has."""

import contextlib
import functools
import logging
import warnings
from collections.abc import Iterable

WIDE = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei"),
    *("Microsoft YaHei", "SimHei", "PingFang SC", "Hiragino Sans GB", "Yu Gothic", "Malgun Gothic"),
    *("Arial Unicode MS", "Nirmala UI", "Leelawadee UI", "Segoe UI", "Noto Sans Devanagari", "Noto Sans Arabic"),
    *("Noto Sans Thai", "Noto Sans Bengali", "Noto Sans Ethiopic"),
)
"""Fonts with scripts that matplotlib's own lacks, as Linux, Windows and macOS have them."""


@functools.cache
def families() -> tuple[str, ...]:
    """Return matplotlib's own fonts, followed by those of `WIDE` that this computer has."""
    from matplotlib import font_manager, rcParamsDefault

    own = rcParamsDefault["font.sans-serif"][0]
    known = {font.fname for font in font_manager.fontManager.ttflist}
    for path in set(font_manager.findSystemFonts()) - known:  # matplotlib's list is as old as its cache
        with contextlib.suppress(RuntimeError, OSError):  # a font that it cannot use
            font_manager.fontManager.addfont(path)
    there = set(font_manager.fontManager.get_font_names())
    # Many of them have one weight, and matplotlib says so, in red, for every size in which text is drawn.
    logging.getLogger("matplotlib.font_manager").addFilter(lambda said: "font weight" not in said.getMessage())
    return (own, *(name for name in WIDE if name in there))


@functools.cache
def _letters(names: tuple[str, ...]) -> frozenset[int]:
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    paths = {font_manager.findfont(name) for name in names}
    return frozenset(code for path in paths for code in FT2Font(path).get_charmap())


def unreadable(texts: Iterable[str], names: tuple[str, ...]) -> str:
    """Return the letters of texts that none of the fonts has, each once, in order."""
    known = _letters(names)
    return "".join(dict.fromkeys(c for text in texts for c in text if ord(c) not in known and not c.isspace()))


def check(texts: Iterable[str]) -> None:
    """Warn of letters that pictures cannot show on this computer."""
    if letters := unreadable(texts, families()):
        warnings.warn(
            f"No font of this computer has the letters {letters[:20]}, so that pictures show boxes for them. Install "
            f"one that has (for Chinese, Japanese and Korean: Noto Sans CJK; in Debian: fonts-noto-cjk).",
            stacklevel=3,
        )
