"""The hash of the code that a result depends on: comments and docstrings do not count."""

import ast
import hashlib
import importlib
import inspect


def code_hash(module):
    """Hash of a module and of all of bnlib that it imports, without comments and docstrings.

    Examples
    --------
    >>> code_hash("bnlib.losses") == code_hash("bnlib.losses")
    True
    """
    digest = hashlib.sha256()
    for name in sorted(_closure(module)):
        digest.update(repr(_skeleton(_tree(name))).encode())
    return digest.hexdigest()[:16]


def _closure(module):
    """Names of `module` and of the modules of bnlib that it imports, directly or not."""
    found, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _imports(name)
    return found


def _imports(name):
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.ImportFrom) and node.module == "bnlib":
            yield from (f"bnlib.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "bnlib."
        ):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] == "bnlib")


def _tree(name):
    return ast.parse(inspect.getsource(importlib.import_module(name)))


def _skeleton(node):
    """Return the code as nested tuples, without docstrings, the same in every Python version."""
    if isinstance(node, list):
        return [_skeleton(item) for item in node]
    if not isinstance(node, ast.AST):
        return node
    fields = {
        name: value for name, value in ast.iter_fields(node) if value not in (None, [])
    }
    body = fields.get("body")
    if isinstance(body, list) and _is_text(body[0]):
        fields["body"] = body[1:]
    return type(node).__name__, [
        (name, _skeleton(value)) for name, value in fields.items()
    ]


def _is_text(node):
    return isinstance(node, ast.Expr) and isinstance(
        getattr(node.value, "value", None), str
    )
