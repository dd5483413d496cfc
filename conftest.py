"""Set the environment of every test, chapters under nbval included, before anything is imported."""

from importlib.util import find_spec

from environment import prepare

prepare()

# The optional module cannot be looked through for examples where what it needs is missing.
collect_ignore = [] if find_spec("numba") else ["bnlib/fused.py"]
