"""Show a function's own source in a chapter, so that the text can never drift from the code."""

import ast
import inspect
import textwrap


def source_of(thing, *, docstring=False):
    """Return the source of a function or class, by default without its docstrings.

    Examples
    --------
    >>> from bnlib.losses import mean_squared_error
    >>> print(source_of(mean_squared_error).splitlines()[0])
    def mean_squared_error(predictions, targets):
    """
    source = textwrap.dedent(inspect.getsource(thing)).rstrip()
    if docstring:
        return source
    lines = source.splitlines()
    for node in reversed(
        [node for node in ast.walk(ast.parse(source)) if _has_docstring(node)]
    ):
        first = node.body[0]
        del lines[first.lineno - 1 : first.end_lineno]
    return "\n".join(lines)


def show_source(*things, docstring=False):
    """Display the source of functions or classes as highlighted code.

    Returns
    -------
    IPython.display.Markdown
    """
    from IPython.display import Markdown

    sources = "\n\n\n".join(source_of(thing, docstring=docstring) for thing in things)
    return Markdown(f"```python\n{sources}\n```")


def _has_docstring(node):
    holders = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return isinstance(node, holders) and ast.get_docstring(node) is not None
