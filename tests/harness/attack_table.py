"""The table of attempts by tier, as it stands in the documentation."""

from .attack_tiers import ATTEMPTS, TIERS, is_hosts_matter
from .waiting import ROOT

DOCUMENT = ROOT / "deploy/docs/security.md"
BEGIN, END = "<!-- attacks: written by tests/attack_table.py -->", "<!-- attacks: end -->"


def rows(seen):
    """Lines of Markdown, of what came of each of TIERS."""
    titles = ["", "attempt", *(tier.title for tier in TIERS), "each of these stops it"]
    lines = [_line(titles), _line(["---"] * len(titles))]
    for attempt in ATTEMPTS:
        cells = [_cell(of, attempt) for of in seen]
        stops = ", ".join(f"`{name}`" for name in seen[0].rows[attempt.name]["stopped_by"])
        lines.append(_line([str(attempt.number), attempt.what, *cells, stops]))
    return lines


def _cell(seen, attempt):
    row = seen.rows[attempt.name]
    outcome = row["outcome"]
    if is_hosts_matter(attempt, outcome):  # So that it is the same on every host.
        outcome = seen.expected(attempt)
    elif row["verdict"] not in ("blocked", "unprotected"):
        return f"{row['verdict']}: {outcome}"
    stopped = attempt.expected(seen.known) is not None
    return outcome if stopped else "**not stopped**"


def _line(cells):
    return "| " + " | ".join(cells) + " |"


def kept_rows():
    text = DOCUMENT.read_text()
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip().splitlines()


def write(lines):
    text = DOCUMENT.read_text()
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    DOCUMENT.write_text(text[:begin] + "\n" + "\n".join(lines) + "\n" + text[end:])
