"""Ending with the process that started this one: `lulc` may be killed, and nothing is to be left at work for nobody."""

import multiprocessing
import os
import threading


def watch() -> None:
    """End this process as soon as the one that asked `multiprocessing` for it is gone, whatever it is doing."""
    threading.Thread(target=_end_with_it, daemon=True).start()


def _end_with_it() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "only called in a process that was started by another"
    parent.join()
    os._exit(1)
