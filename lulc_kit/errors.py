"""The family of errors that users meet. ``except LulcError`` catches them all."""


class LulcError(Exception):
    """Bad input, or a step that cannot go on.

    The message says what was found, what was expected, and what to do next. Its kinds are for callers who would act
    differently. All go by this name where a person reads it, in a notebook and in what `lulc run` hears from one.
    """

    def __init_subclass__(cls) -> None:
        cls.__name__ = LulcError.__name__  # what Jupyter prints; a traceback and pickle use the class's __qualname__


class MissingFileError(LulcError):
    """A file or folder is not there."""


class FormatError(LulcError):
    """A file is there and cannot be read: it is damaged, or not of the kind it should be."""


class StorageError(LulcError):
    """A folder cannot be written to, or its disk is full."""


class GridError(LulcError):
    """Rasters or shapes do not lie on one grid, or a file does not say where it lies."""


class BandError(LulcError):
    """A band is asked for that a raster lacks, or has twice."""


class ParameterError(LulcError):
    """A parameter of a notebook, or an argument of a function, has a value that it cannot have."""


class RareClassError(LulcError):
    """Classes occur in too few places to be tested and trained in every fold.

    Attributes
    ----------
    classes
        Their names.
    """

    def __init__(self, message: str, classes: list[str] | tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.classes = tuple(classes)
