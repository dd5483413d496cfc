"""Keep TensorFlow's start-up notices out of the outputs: they differ between machines.

The one place for these settings: the book's builder loads it as an extension, the tests and
tools import it.
"""

import os

SETTINGS = {"TF_CPP_MIN_LOG_LEVEL": "2", "TF_ENABLE_ONEDNN_OPTS": "0"}


def silence():
    """Set the variables for this process and all that it starts, unless the user has set them."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


def setup(app):
    """Run as an extension of the book's builder."""
    silence()
    return {"parallel_read_safe": True, "parallel_write_safe": True}
