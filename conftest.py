"""Set the environment of every test, chapters under nbval included, before anything is imported."""

from quiet import silence

silence()
