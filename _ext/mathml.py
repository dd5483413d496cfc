"""Render every formula to MathML while the book is built: no script and no other host draws it.

A formula that cannot be rendered is a warning that names its page, and so a failed build.
"""

import html
import re

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

import speech

logger = logging.getLogger(__name__)
converter = LatexToMathML(annotation=True, fancy_error=False)
# Sphinx numbers the equations; an environment with numbers of its own becomes its plain sister.
NUMBERED = {"align": "aligned", "gather": "gathered", "equation": "aligned"}


def to_mathml(latex, *, display):
    """Return the formula as a ``math`` element that carries its LaTeX and is named in words.

    A LatexError says why a formula cannot be one.
    """
    latex = re.sub(r"\s+", " ", latex).strip()
    plain = re.sub(r"(\\(?:begin|end)){(\w+)\*?}", _unnumbered, latex)
    if r"\\" in plain and r"\begin" not in plain:
        raise LatexError(
            r"a line break \\ needs an environment: write \begin{aligned} ... \end{aligned}"
        )
    math = converter.convert_with_local_state(plain, displaystyle=display)
    return math.replace("<math", f'<math aria-label="{speech.words(math)}"', 1)


def _unnumbered(match):
    """Return the begin or end of the environment that sets no number."""
    command, name = match.groups()
    return f"{command}{{{NUMBERED.get(name, name)}}}"


def _render(node, *, display):
    """Return the node's formula as MathML, or its LaTeX as code after a warning."""
    try:
        return to_mathml(node.astext(), display=display)
    except LatexError as error:
        logger.warning(
            "formula cannot be rendered: %s\n%s", error, node.astext(), location=node
        )
        return f"<code>{html.escape(node.astext())}</code>"


def visit_inline(translator, node):
    """Write a formula in a line of text."""
    translator.body.append(
        f'<span class="math notranslate">{_render(node, display=False)}</span>'
    )
    raise nodes.SkipNode


def visit_display(translator, node):
    """Write a formula on a line of its own, with its number and a link to it if it has one."""
    translator.body.append(translator.starttag(node, "div", CLASS="math notranslate"))
    translator.body.append(
        f'<section class="formula">{_render(node, display=True)}</section>'
    )
    if node.get("number"):
        translator.body.append(
            f'<span class="eqno">({get_node_equation_number(translator, node)})'
        )
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app):
    """Register the renderer that ``html_math_renderer: mathml`` chooses."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
