"""``mapt-bench compare``: the regression gate between a baseline and a current result."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from mapt_bench.cli.inputs import OUTPUTS
from mapt_bench.cli.options import (
    add_options,
    checked_output,
    emit_json,
    json_option,
    path_type,
    print_line,
)
from mapt_bench.compare import (
    Allowed,
    Comparison,
    GateRules,
    Limit,
    Scope,
    baseline_text,
    check_replaceable,
    compare_results,
    load_gate,
)
from mapt_bench.errors import ConfigError, DataError, MaptBenchError, counted
from mapt_bench.files import REFUSE_INPUT, write_together
from mapt_bench.reports.difference_tables import comparison_table
from mapt_bench.reports.gate_formats import (
    VERDICTS,
    github_annotations,
    github_error,
    gitlab_report,
    junit_report,
    markdown_comment,
    markdown_error,
)
from mapt_bench.reports.table_formats import print_table
from mapt_bench.results.result_files import BASELINE, read_document
from mapt_bench.special_files import refuse_special

__all__ = ["command"]

_EPILOG = """\b
Examples:
  mapt-bench compare baseline.json current.json --max-drop PAT=0.5 --max-rise IDSW=5
  mapt-bench compare runs/before runs/now --gate gate.yaml --junit gate.xml
  mapt-bench compare baseline.json runs/now --update-baseline
"""


def _limit_option(name: str, help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        f"--{name}", multiple=True, metavar="SCORE=NUMBER", help=f"{help_text} Repeatable."
    )


_limit_options = add_options(
    _limit_option(
        "max-drop",
        "Fail if a score falls by more than NUMBER percentage points, or NUMBER% of the baseline. "
        "Example: --max-drop PAT=0.5",
    ),
    _limit_option(
        "max-rise",
        "Fail if a score that is better when lower rises by more than NUMBER. "
        "Example: --max-rise IDSW=5",
    ),
    _limit_option("min", "Fail if a score is below NUMBER. Example: --min PAT=60"),
    _limit_option("max", "Fail if a score is above NUMBER. Example: --max IDSW=100"),
    click.option(
        "--exact",
        multiple=True,
        metavar="SCORE",
        help="Fail if a score changes at all, for example gmacs of a FLOPs report. 'predictions' "
        "compares the fingerprints of predictions. Repeatable.",
    ),
    click.option(
        "--fail-on",
        "fail_on",
        multiple=True,
        metavar="LIMIT",
        help="Fail if a score changes beyond this limit: SCORE<NUMBER (or <= > >=). The change is "
        "current minus baseline, in percentage points, for IDSW and Frag in counts. Repeatable. "
        'Quote it: --fail-on "PAT<-0.5"',
    ),
    click.option("--row", metavar="NAME", help="Check the limits above in these rows. * fits all."),
    click.option(
        "--sequence",
        metavar="NAME",
        help="Check the limits above in each of these sequences. * fits all.",
    ),
    click.option(
        "--noise-aware",
        is_flag=True,
        help="Exceed --max-drop, --max-rise and --fail-on only if the whole paired 95 % "
        "confidence interval over sequences does.",
    ),
    click.option(
        "--gate",
        "gate_file",
        type=path_type,
        metavar="FILE",
        help="Read more limits and accepted regressions from this YAML file.",
    ),
    click.option(
        "--allow",
        multiple=True,
        type=click.Choice(["missing", "new", "undefined"]),
        help="Do not fail if parts are missing, new or undefined in CURRENT. Repeatable.",
    ),
)


def _file_option(name: str, help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        f"--{name}",
        f"{name}_file",
        type=path_type,
        metavar="FILE",
        callback=checked_output,
        help=help_text,
    )


_output_options = add_options(
    _file_option("junit", "Write a JUnit XML report with one test case per limit."),
    click.option(
        "--github",
        is_flag=True,
        help="Print annotations for GitHub, and append a summary to $GITHUB_STEP_SUMMARY.",
    ),
    _file_option("gitlab", "Write a code-quality report for GitLab."),
    _file_option("markdown", "Write a comment of at most 60 lines for a pull request."),
    _file_option("html", "Write one HTML page about both results, as report does."),
    click.option(
        "--update-baseline",
        is_flag=True,
        help="Replace or create BASELINE with the scores of CURRENT, unless the gate fails. "
        "Without limits, always. If there is no BASELINE yet, CURRENT is compared with itself.",
    ),
    json_option,
)


@click.command(epilog=_EPILOG)
@click.argument("baseline", type=path_type)
@click.argument("current", type=path_type)
@_limit_options
@click.option(
    "--common-classes",
    is_flag=True,
    help="Average PAT, PQ and LSTQ over the classes of both results. By default each result keeps "
    "its own values, and differences use the classes of both.",
)
@_output_options
def command(
    baseline: Path,
    current: Path,
    common_classes: bool,
    json_file: str | None,
    junit_file: Path | None,
    github: bool,
    gitlab_file: Path | None,
    markdown_file: Path | None,
    html_file: Path | None,
    update_baseline: bool,
    **given: Any,  # noqa: ANN401 - the options of limits
) -> int:
    """Compare two results. Exits with 1 if CURRENT is worse than the limits allow.

    BASELINE and CURRENT are JSON files written by evaluate, runs (the folder or its results.json),
    or FLOPs reports. Both must have the same protocol and ground truth; otherwise the exit code is
    3. A score, row or sequence that is missing, new or undefined in CURRENT also fails.
    """
    rules = _rules(**given)
    summary = _summary_file() if github else None
    if update_baseline:
        _check_apart(baseline, current)
        check_replaceable(baseline)
    is_new = update_baseline and not baseline.exists()
    try:
        comparison = compare_results(
            current if is_new else baseline, current, rules=rules, common_classes=common_classes
        )
    except MaptBenchError as problem:
        if github:
            reason = f"{problem.where}: {problem}" if problem.where else str(problem)
            _to_github([github_error(str(current), reason)], markdown_error(reason), summary)
        raise
    if is_new:
        note = f"{baseline} did not exist, so {current} was compared with itself"
        comparison = replace(comparison, baseline=baseline, notes=(note, *comparison.notes))
    data = comparison.to_dict()
    texts = _texts(data, junit_file, gitlab_file, markdown_file)
    texts |= {} if html_file is None else {html_file: _page(None if is_new else baseline, current)}
    replaced = update_baseline and (not rules.limits or comparison.is_passed is not False)
    texts |= {baseline: baseline_text(current)} if replaced else {}
    write_together(texts, replacing=baseline if replaced else None)
    if github:
        _to_github(github_annotations(data), markdown_comment(data), summary)
    if not emit_json(json_file, data):
        if not is_new:
            _show_changes(comparison, data)
        _show_verdict(comparison)
        if update_baseline:
            _show_update(baseline, current, is_new=is_new, is_written=replaced)
        else:
            _offer_update(comparison)
    return 1 if comparison.is_passed is False and not replaced else 0


def _rules(
    *,
    fail_on: Sequence[str],
    exact: Sequence[str],
    row: str | None,
    sequence: str | None,
    noise_aware: bool,
    gate_file: Path | None,
    allow: Sequence[Allowed],
    **by_option: Sequence[str],
) -> GateRules:
    """Return the rules of all options and of the file."""
    limits = [Limit.parse(text) for text in fail_on]
    for option, texts in by_option.items():
        limits += [Limit.of_option(option.replace("_", "-"), text) for text in texts]
    limits += [Limit.exact(score) for score in exact]
    limits = [
        replace(
            limit,
            scope=Scope(row, sequence),
            is_noise_aware=noise_aware and limit.of != "value" and limit.relation != "!=",
        )
        for limit in limits
    ]
    rules = GateRules() if gate_file is None else load_gate(gate_file)
    return rules.and_also(limits, allow)


def _texts(
    data: dict[str, Any],
    junit_file: Path | None,
    gitlab_file: Path | None,
    markdown_file: Path | None,
) -> dict[Path, str]:
    files = (
        (junit_file, junit_report),
        (gitlab_file, gitlab_report),
        (markdown_file, markdown_comment),
    )
    return {path: write(data) for path, write in files if path is not None}


def _page(baseline: Path | None, current: Path) -> str:
    """Return the report of both results. A reduced or new baseline has no details to show."""
    # Imported here, because pandas and Matplotlib start slowly.
    from mapt_bench.report import report_text

    if baseline is None:
        return report_text([current])
    file = baseline / "results.json" if baseline.is_dir() else baseline
    is_reduced = read_document(file)["schema"] == BASELINE
    return report_text([current] if is_reduced else [baseline, current])


def _check_apart(baseline: Path, current: Path) -> None:
    """Refuse to replace CURRENT by its scores alone, also through links.

    Raises:
        ConfigError: If BASELINE is the file of CURRENT.
    """
    file = current / "results.json" if current.is_dir() else current
    with suppress(OSError):  # there is no baseline yet
        if baseline.samefile(file):
            raise ConfigError(
                "is the file of both BASELINE and CURRENT, which --update-baseline would replace "
                "by its scores alone; choose another BASELINE",
                where=baseline,
            )


_SUMMARY = "GITHUB_STEP_SUMMARY"


def _summary_file() -> Path | None:
    """Return the file of the summary, and check before any work that a text may be added to it.

    Raises:
        ConfigError: If it is an input or another output of the command.
        DataError: If it is a named pipe, a socket or a device: opening it may wait for ever.
    """
    text = os.environ.get(_SUMMARY)
    if not text:
        return None
    path = Path(text)
    refuse_input = REFUSE_INPUT.get()
    if refuse_input is not None:
        refuse_input(path)
    option = click.get_current_context().meta.get(OUTPUTS, {}).get(path.resolve())
    if option is not None:
        raise ConfigError(
            f"${_SUMMARY} and {option} name the same file; give each its own", where=path
        )
    with suppress(OSError):  # no such file yet, or one that writing reports
        refuse_special(path)
    return path


def _unwritable_summary(path: Path, problem: OSError) -> DataError:
    return DataError(f"cannot be written ({problem.strerror}); check ${_SUMMARY}", where=path)


def _to_github(annotations: Sequence[str], text: str, summary: Path | None) -> None:
    """Print annotations, and append a text to the summary of the step."""
    # GitHub reads annotations on stderr as well, and stdout may hold the JSON.
    for line in annotations:
        print_line(line, err=True)
    if summary is None:
        return
    try:
        with summary.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as problem:
        raise _unwritable_summary(summary, problem) from problem


def _show_changes(comparison: Comparison, data: dict[str, Any]) -> None:
    table = comparison_table(data)
    if table.rows:
        print_table(table)
    elif comparison.changes:
        print_line("No score changed.")


def _show_verdict(comparison: Comparison) -> None:
    allowed = comparison.allowed
    new = "allowed" if "new" in allowed else "new"
    _print_first([f"note: {note}" for note in comparison.notes])
    _print_first([f"accepted: {accepted}" for accepted in comparison.accepted])
    _print_first(
        [
            f"{'allowed' if missing.kind in allowed else missing.kind}: {missing}"
            for missing in comparison.missing
        ]
    )
    _print_first([f"{new}: {added}" for added in comparison.added])
    _print_first([f"warning: {warning}" for warning in comparison.warnings])
    _print_first([f"broken: {broken}" for broken in comparison.broken])
    print_line(VERDICTS[comparison.is_passed])


_MOST_LINES = 20
"""Printed lines of one kind, for example of limits that sequences exceed."""


def _print_first(lines: Sequence[str]) -> None:
    for line in lines[:_MOST_LINES]:
        print_line(line)
    if len(lines) > _MOST_LINES:
        kind = lines[0].partition(":")[0]
        print_line(f"{kind}: and {len(lines) - _MOST_LINES} more. All of them: --json FILE.")


def _show_update(baseline: Path, current: Path, *, is_new: bool, is_written: bool) -> None:
    if is_written:
        done = f"created {baseline} from" if is_new else f"replaced {baseline} by"
        print_line(f"{done} the scores of {current}")
    else:
        done = "did not create" if is_new else "kept"
        print_line(f"{done} {baseline}, because the gate failed")


def _offer_update(comparison: Comparison) -> None:
    if comparison.improved and comparison.is_passed is not False:
        print_line(
            f"{counted(len(comparison.improved), 'score')} improved. Make this result the new "
            "baseline: run this command again with --update-baseline"
        )
