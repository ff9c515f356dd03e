"""nbconvert's page of a notebook, made to need no network: ``jupyter nbconvert --to workbench out.ipynb``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import nbconvert
from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from traitlets import default

from workbench.show import gallery

#: What the page may load: nothing but what is in it.
POLICY = (
    "default-src 'none'; img-src data: blob:; font-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline' 'unsafe-eval'; base-uri 'none'; form-action 'none'"
)
TEMPLATE = f"""
{{%- extends "index.html.j2" -%}}
{{%- block html_head_js -%}}<meta http-equiv="Content-Security-Policy" content="{POLICY}">{{%- endblock -%}}
{{%- block jupyter_widgets -%}}{{%- endblock -%}}
{{%- block html_head_js_mathjax -%}}{{%- endblock -%}}
{{%- block html_head_js_mermaidjs -%}}{{%- endblock -%}}
{{%- block data_latex -%}}
<div class="jp-RenderedHTMLCommon jp-OutputArea-output">{{{{ output.data["text/latex"] | markdown2html }}}}</div>
{{%- endblock -%}}
"""


class Formulas(IPythonRenderer):
    """Markdown whose formulas are MathML, which browsers draw by themselves."""

    def inline_math(self, body: str) -> str:
        """A formula within a line."""
        return gallery.mathml(body)

    def block_math(self, body: str) -> str:
        """A formula on a line of its own."""
        return gallery.mathml(body, block=True)

    def latex_environment(self, name: str, body: str) -> str:
        r"""What stands between \begin and \end."""
        return gallery.mathml(rf"\begin{{{name}}}{body}\end{{{name}}}", block=True)


class OfflinePage(nbconvert.HTMLExporter):
    """nbconvert's HTML with formulas as MathML, and without MathJax, require.js, mermaid and the widgets' manager.

    All else, options and templates too, is nbconvert's: pictures that Markdown names by their path are in the page with
    --embed-images. The page forbids itself to load anything; players bring what they need.
    """

    export_from_notebook = "HTML, offline"

    @default("raw_template")
    def _raw_template(self) -> str:
        return TEMPLATE

    def default_filters(self) -> Iterator[tuple[str, Any]]:
        """nbconvert's filters, with Markdown's formulas."""
        yield from super().default_filters()
        yield "markdown2html", self.markdown2html

    @pass_context
    def markdown2html(self, context: Context, source: str) -> str:
        """HTML of a cell's, or an output's, Markdown."""
        renderer = Formulas(
            escape=False,
            attachments=context.get("cell", {}).get("attachments", {}),
            embed_images=self.embed_images,
            path=context.get("resources", {}).get("metadata", {}).get("path", ""),
            anchor_link_text=self.anchor_link_text,
            exclude_anchor_links=self.exclude_anchor_links,
            **self.lexer_options,
        )
        return MarkdownWithMath(renderer=renderer).render(source)

    def from_notebook_node(  # type: ignore[override]
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **kw: Any
    ) -> tuple[str, dict[str, Any]]:
        """The page, and what nbconvert knows about it."""
        still = NotebookNode({**nb, "metadata": {k: v for k, v in nb.metadata.items() if k != "widgets"}})
        return super().from_notebook_node(still, resources, **kw)
