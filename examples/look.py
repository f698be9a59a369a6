"""Look behind the numbers of a run: the right answers with the worst explanations, unit by unit.

python examples/look.py runs/demo
"""

import sys
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

RAISED = {0: "not raised", 1: "partly", 2: "raised"}
RIGHT = {1: "[green]right[/]", 0: "[yellow]unclear[/]", -1: "[red]wrong[/]", None: ""}


def main(run: Path) -> None:
    scores = pl.read_parquet(run / "scores.parquet")
    verdicts = pl.read_parquet(run / "verdicts.parquet")
    explained = scores.filter(pl.col("answer_correct") & (pl.col("trace_grounding") > 0.3))
    worst = explained.sort("trace_score").row(0, named=True)

    console = Console(highlight=False, width=110)
    console.print(
        f"\nA right answer ({worst['answer']}) with a poor explanation: {worst['record_id']} by {worst['model']}, "
        f"trace score {worst['trace_score']:.2f}. The judge's verdicts:\n"
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("axis", "unit of the reference", "raised?", "right?", "what the trace says"):
        table.add_column(column)
    for row in verdicts.filter(line=worst["line"]).iter_rows(named=True):
        quote = f"“{row['evidence']}”" if row["evidence"] else ""
        table.add_row(row["axis"], row["claim"], RAISED[row["presence"]], RIGHT[row["correctness"]], quote)
    console.print(table)
    if worst["judge"].startswith("lexical"):
        console.print(
            "\nlexical compares words and cannot follow an argument, so some of these verdicts are wrong: that\n"
            "nothing passes the pylorus is what the trace says. A real judge reads: --judge hosted_vllm/MODEL"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
