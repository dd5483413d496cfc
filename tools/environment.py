"""The environment in which chapters and tests run, so that their outputs depend on nothing else.

TensorFlow's start-up notices differ between machines and say nothing. The matrices of the course
are small, and two chapters run at a time: threads of the linear algebra would wait for each other
many times longer than they work. The book's builder loads this file as an extension; the tests and
tools import it.
"""

import os

SETTINGS = {
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "OPENBLAS_NUM_THREADS": "1",
}


def prepare():
    """Set the variables for this process and all that it starts, unless the user has set them."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


def setup(app):
    """Run as an extension of the book's builder."""
    prepare()
    return {"parallel_read_safe": True, "parallel_write_safe": True}
