"""The one family of errors that users meet."""


class LulcError(Exception):
    """Bad input, or a step that cannot go on.

    The message says what was found, what was expected, and what to do next.
    """
