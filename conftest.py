"""Set the environment of every test, chapters under nbval included, before anything is imported."""

from environment import prepare

prepare()
