"""The report as one HTML file: offline, escaped, verdicts by sign and word as well as by colour."""

from __future__ import annotations

import base64
import os
from html import escape
from pathlib import Path

import cv2
import numpy as np

from safefiles import drafts
from workbench.data.doctor.checks import Finding
from workbench.data.doctor.examine import Report, Result
from workbench.data.doctor.portraits import portrait

#: Of each check so many findings are listed, and the first of them shown as pictures.
LISTED, SHOWN = 20, 3

SIGNS = {"error": "✖", "warning": "▲", "ok": "●", "not measured": "○"}

STYLE = """
:root { --ink: #1b2733; --soft: #4a5866; --line: #dde3ea; --wash: #f6f8fa; color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 40px 24px 80px; color: var(--ink); background: #fff;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
h1 { margin: 0; font-size: 38px; line-height: 1.15; letter-spacing: -.02em; }
h2 { margin: 0; font-size: 22px; overflow-wrap: anywhere; }
.lead { font-size: 19px; color: var(--soft); margin: 10px 0 32px; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 10px; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: 8px 14px; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); background: var(--wash); } tbody tr:last-child > * { border-bottom: 0; }
tbody th { background: none; color: var(--ink); white-space: nowrap; } td:last-child { overflow-wrap: anywhere; }
.count { white-space: nowrap; font-variant-numeric: tabular-nums; }
a { color: #0b5cad; } :focus-visible { outline: 3px solid #0b5cad; outline-offset: 2px; }
.verdict { display: inline-block; padding: 1px 10px; border-radius: 99px; font-weight: 600; white-space: nowrap;
  border: 1px solid var(--line); color: var(--soft); }
.error { color: #fff; background: #a33b00; border-color: #a33b00; }
.warning { color: #3d2c00; background: #ffd97a; border-color: #d9a400; }
.ok { color: #0b5cad; border-color: #9cc4ea; }
section { margin-top: 44px; padding-top: 20px; border-top: 1px solid var(--line); }
section p { max-width: 80ch; color: var(--soft); margin: 6px 0 12px; }
figure { margin: 16px 0; } figure img { display: block; max-width: 100%; border-radius: 6px; }
figcaption, li { font-size: 15px; overflow-wrap: anywhere; }
"""

HOW = (
    "Three frames of a clip with its joints drawn and the crop to the person outlined; beside them the joints of the "
    "frame in the middle in 3D, from the front (x to the right, y up) and from the side (z to the right)."
)


def write(report: Report, path: str | os.PathLike) -> Path:
    """Writes the page, atomically; returns its path. OSError if it can't be written."""
    path = Path(path)
    drafts.write(path, render(report).encode())
    return path


def render(report: Report) -> str:
    """The page's text."""
    rank = list(SIGNS)
    results = sorted(report.results, key=lambda result: rank.index(result.verdict))
    results_with_findings = [result for result in results if result.findings]
    title = f"Doctor: {escape(report.name)}"
    rows = "".join(_row(number, result) for number, result in enumerate(results))
    sections = "".join(_section(number, result, report) for number, result in enumerate(results_with_findings))
    return page(
        title,
        f'<h1>{title}</h1><p class="lead">{escape(report.summary())}</p>',
        '<div class="scroll" tabindex="0" role="region" aria-label="All checks"><table><thead><tr>'
        '<th scope="col">check</th><th scope="col">verdict</th><th scope="col">count</th><th scope="col">example</th>'
        f"</tr></thead><tbody>{rows}</tbody></table></div>{sections}",
    )


def page(title: str, header: str, main: str) -> str:
    """A page of the doctor's; all three are HTML."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{STYLE}</style></head><body><header>{header}</header><main>{main}</main></body></html>\n"
    )


def _row(number: int, result: Result) -> str:
    # Results with findings come first in the table, so that their numbers are those of the sections.
    name = escape(result.check.name)
    name = f'<a href="#check-{number}">{name}</a>' if result.findings else name
    example = escape(result.findings[0].text) if result.findings else escape(result.check.meaning)
    return (
        f'<tr><th scope="row">{name}</th><td>{_badge(result.verdict)}</td>'
        f'<td class="count">{escape(result.count)}</td><td>{example}</td></tr>'
    )


def _badge(verdict: str) -> str:
    return f'<span class="verdict {verdict.split()[0]}">{SIGNS[verdict]} {verdict}</span>'


def _section(number: int, result: Result, report: Report) -> str:
    findings = result.findings
    figures = "".join(_figure(finding, report) for finding in findings[:SHOWN])
    rest = findings[SHOWN:LISTED]
    listed = "".join(f"<li>{escape(finding.text)}</li>" for finding in rest)
    more = f"<p>and {len(findings) - LISTED} more</p>" if len(findings) > LISTED else ""
    return (
        f'<section id="check-{number}"><h2>{escape(result.check.name)} {_badge(result.verdict)}</h2>'
        f"<p>{escape(result.check.meaning)}</p>{figures}{f'<ul>{listed}</ul>' if listed else ''}{more}</section>"
    )


def _figure(finding: Finding, report: Report) -> str:
    picture = portrait(report.parts[finding.clip[0]], finding.clip[1]) if finding.clip else None
    return figure(picture, finding.text)


def figure(picture: np.ndarray | None, text: str) -> str:
    """A portrait, uint8 [H,W,3] RGB, or none, and what is said of it."""
    caption, alternative = escape(text), escape(HOW)
    if picture is None:
        return f"<figure><figcaption>{caption}</figcaption></figure>"
    _, coded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 82])
    data = base64.b64encode(coded.tobytes()).decode()
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}" alt="{alternative}" title="{alternative}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )
