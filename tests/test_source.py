"""Specification of `bnlib.source`: what a chapter shows is the code that runs."""

import ast

from bnlib import batchnorm, layers
from bnlib.source import show_source, source_of


def test_the_source_is_shown_without_docstrings_and_with_comments():
    source = source_of(batchnorm.batchnorm_backward)
    assert source.startswith("def batchnorm_backward(dy, cache):\n    dy = ")
    assert "# The mean and the variance depend on every row" in source
    assert '"""' not in source


def test_the_docstring_is_shown_on_demand():
    assert '"""Gradients of the loss' in source_of(
        batchnorm.batchnorm_backward, docstring=True
    )


def test_a_class_is_shown_with_its_methods_and_without_their_docstrings():
    source = source_of(layers.ReLU)
    assert '"""' not in source
    assert [node.name for node in ast.parse(source).body[0].body] == [
        "function",
        "slope",
    ]


def test_several_sources_are_shown_as_one_block_of_python():
    shown = show_source(layers.ReLU, layers.Tanh).data
    assert shown.startswith("```python\nclass ReLU(Activation):")
    assert shown.endswith("\n```")
    ast.parse(shown.removeprefix("```python\n").removesuffix("\n```"))
