import csv
import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner
from helpers.films import film, headline
from helpers.folders import GT, LOOSE, LOST, SWITCHED, six_films, write_films
from helpers.maps import draw, write_frames

from mapt_bench import __version__
from mapt_bench.cli import main
from mapt_bench.metrics import SCORE_NAMES


def run(*words):
    return CliRunner().invoke(main, ["evaluate", *map(str, words)])


@pytest.fixture
def gt(tmp_path):
    return write_films(tmp_path / "gt", {"0001": GT, "0002": GT})


@pytest.fixture
def pred(tmp_path):
    return write_films(tmp_path / "pred", {"0001": SWITCHED, "0002": LOST})


@pytest.fixture
def other(tmp_path):
    return write_films(tmp_path / "other", {"0001": GT, "0002": SWITCHED})


def result_of(*words):
    """The JSON on stdout, which must stand there alone."""
    outcome = run(*words, "--json", "-")
    assert outcome.exit_code == 0, outcome.stderr
    return json.loads(outcome.stdout)


def without_run(document):
    """A result without what differs between two runs of the same thing."""
    for result in document.get("evaluations", [document]):
        del result["provenance"]["created"]
    return document


def test_a_result_knows_the_files_that_it_scored(gt, pred, other, tmp_path):
    (first, second) = result_of(gt, pred, other)["evaluations"]
    inputs = first["provenance"]["inputs"]
    assert inputs["ground_truth"]["path"] == str(gt)
    assert inputs["predictions"]["path"] == str(pred)
    truth, found = (inputs[side]["sequences"] for side in ("ground_truth", "predictions"))
    assert truth["0001"] == truth["0002"]  # equal files
    assert found.keys() == {"0001", "0002"}
    assert found["0001"] != truth["0001"]
    copied = second["provenance"]["inputs"]["predictions"]["sequences"]
    assert copied == {"0001": truth["0001"], "0002": found["0001"]}
    moved = write_films(tmp_path / "elsewhere" / "gt", {"0001": GT, "0002": LOST})
    again = result_of(moved, pred)["provenance"]["inputs"]["ground_truth"]["sequences"]
    assert again["0001"] == truth["0001"]
    assert again["0002"] != truth["0002"]


def test_a_result_has_the_revision_of_the_project(gt, pred, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_SHA", raising=False)
    assert result_of(gt, pred)["provenance"]["revision"] is None
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(tmp_path)]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run([*git, *words], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert result_of(gt, pred)["provenance"]["revision"] == head.stdout.strip()
    monkeypatch.setenv("GITHUB_SHA", "abc")
    assert result_of(gt, pred)["provenance"]["revision"] == "abc"
    named = result_of(gt, pred, "--revision", "v1.2")
    assert named["provenance"]["revision"] == "v1.2"
    assert result_of(gt, pred)["provenance"]["revision"] == "abc"  # until the command ends
    assert run(gt, pred, "--revision", "").exit_code == 2


def test_tables_on_stdout(gt, pred):
    outcome = run(gt, pred)
    assert outcome.exit_code == 0
    pat = headline(f"{GT}", SWITCHED)["PAT"]
    lines = outcome.stdout.splitlines()
    heading = next(line.split() for line in lines if line.startswith("prediction"))
    assert heading[1:7] == ["PAT", "PQ", "TQ", "STQ", "AssA", "IDSW"]
    assert "Classes of" not in outcome.stdout
    assert "Sequences of" not in outcome.stdout
    assert f"{100 * pat:.2f} (0001)" in outcome.stdout
    assert "thing_ids_present_classes" in outcome.stdout  # the protocol stands beside the numbers
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100


def test_full_prints_all_tables_and_classes_prints_those_of_classes(gt, pred):
    pat = headline(f"{GT}", SWITCHED)["PAT"]
    stdout = run(gt, pred, "--classes", "--full").stdout
    heading = next(line.split() for line in stdout.splitlines() if line.startswith("prediction"))
    assert tuple(heading[1:]) == SCORE_NAMES
    row = next(line.split() for line in stdout.splitlines() if line.startswith("0001"))
    assert row[:3] == ["0001", "4", f"{100 * pat:.2f}"]
    assert "Classes of pred" in stdout
    assert "Classes of pred" in run(gt, pred, "--classes").stdout
    assert "Sequences of pred" not in run(gt, pred, "--classes").stdout


def test_scores_and_rows_are_selected(gt, pred, other, tmp_path):
    words = ("--scores", "STQ,PAT", "--rows", "other", "--latex", tmp_path / "t.tex")
    lines = run(gt, pred, other, *words).stdout.splitlines()
    assert lines[1].split() == ["prediction", "STQ", "PAT"]
    assert lines[2].startswith("other")
    assert not any(line.startswith("pred ") for line in lines)
    latex = (tmp_path / "t.tex").read_text()
    assert r"prediction & STQ $\uparrow$ & PAT $\uparrow$" in latex
    assert latex.count(r"\begin{table}") == 1
    assert r"\caption{evaluate on kitti-step, " in latex
    unknown = run(gt, pred, "--scores", "IDWS")
    assert unknown.exit_code == 2
    assert "did you mean 'IDSW'" in unknown.stderr
    assert "did you mean 'pred'" in run(gt, pred, "--rows", "perd").stderr


def test_json_schema(gt, pred):
    found = result_of(gt, pred)
    assert list(found) == [
        "schema",
        "name",
        "scores",
        "undefined",
        "per_sequence",
        "per_class",
        "protocol",
        "provenance",
        "blocks",
    ]
    assert found["schema"] == "mapt-bench/evaluation/2"
    assert found["name"] == "pred"
    assert tuple(found["scores"]) == (*SCORE_NAMES, "DQ", "DSTQ")
    assert list(found["undefined"]) == ["DQ", "DSTQ"]  # there are no depth maps
    assert list(found["per_sequence"]) == ["0001", "0002"]
    assert list(found["per_sequence"]["0001"]) == ["frames", *SCORE_NAMES]
    assert list(found["blocks"]) == [
        "stq",
        "pq",
        "vpq",
        "panoptic_tracking",
        "tracking",
        "mopt",
    ]
    assert found["protocol"]["pat"] == "thing_ids_present_classes"
    assert found["protocol"]["dataset"] == "kitti-step"
    assert found["provenance"]["mapt_bench"] == __version__
    assert {"git_commit", "packages", "device", "threads", "created"} <= found["provenance"].keys()


def test_undefined_scores_are_null_with_a_reason(tmp_path):
    gt = write_films(tmp_path / "gt", {"0001": "r s | r s"})
    pred = write_films(tmp_path / "pred", {"0001": "r s | r r"})
    found = result_of(gt, pred)
    missing = [name for name, value in found["scores"].items() if value is None]
    assert missing == list(found["undefined"])
    assert found["undefined"]["TQ"] == "no ground-truth track of any thing class"
    assert found["undefined"]["VPQ"].startswith("every sequence is shorter than the longest")
    printed = " ".join(run(gt, pred).stdout.split())
    assert "no ground-truth track of any thing class" in printed


def test_json_file_goes_beside_the_tables(gt, pred, tmp_path):
    file = tmp_path / "deep" / "result.json"
    refused = run(gt, pred, "--json", file)
    assert refused.exit_code == 3
    assert f"there is no folder {file.parent}; create it" in refused.stderr
    file.parent.mkdir()
    outcome = run(gt, pred, "--json", file)
    assert outcome.exit_code == 0
    assert "prediction" in outcome.stdout
    assert without_run(json.loads(file.read_text())) == without_run(result_of(gt, pred))


def test_runs_and_workers_give_the_same_result(gt, pred):
    first, again = result_of(gt, pred), result_of(gt, pred)
    two = result_of(gt, pred, "-j", 2)
    texts = {json.dumps(without_run(document)) for document in (first, again, two)}
    assert len(texts) == 1


def test_the_iou_of_classes_averages_to_the_headline_sq(gt, pred):
    odd = draw("c1 c1 r s p2 r")
    odd.codes[0, 2:4] = 255 << 24  # void predicted on valid pixels counts as a class of IoU 0
    write_frames(pred / "0001", [odd, *film(SWITCHED)[1:]])
    voids = draw("c1 c1 r s p2 r")
    voids.codes[0, 5] = 255 << 24
    write_frames(gt / "0001", [voids, *film(GT)[1:]])
    found = result_of(gt, pred)
    ious = {name: entry["IoU"] for name, entry in found["per_class"].items()}
    assert ious == found["blocks"]["stq"]["dataset"]["iou_per_class"]
    occurring = [value for value in ious.values() if value is not None]
    assert found["scores"]["SQ"] == pytest.approx(sum(occurring) / (len(occurring) + 1))
    shown = run(gt, pred, "--classes", "--full").stdout
    assert "The headline SQ is STQ's" in " ".join(shown.split())


def test_several_predictions_in_one_document(gt, pred, other):
    found = result_of(gt, pred, other)
    assert list(found) == ["schema", "evaluations"]
    assert found["schema"] == "mapt-bench/evaluations/2"
    assert [one["name"] for one in found["evaluations"]] == ["pred", "other"]
    assert {one["schema"] for one in found["evaluations"]} == {"mapt-bench/evaluation/2"}


def test_several_predictions_are_averaged_over_the_same_classes_if_asked(gt, pred, other):
    odd = draw("c1 c1 r s p2 r")
    odd.codes[0, 2] = 2 << 24  # a building, nowhere in the truth
    write_frames(other / "0001", [odd, *film(GT)[1:]])
    alone = result_of(gt, pred)
    first, second = result_of(gt, pred, other)["evaluations"]
    assert first["scores"] == alone["scores"]
    assert second["protocol"]["classes"] == [0, 1, 2, 11, 13]
    printed = run(gt, pred, other).stdout
    assert "own classes (pred 4, other 5)" in " ".join(printed.split())
    first, second = result_of(gt, pred, other, "--common-classes")["evaluations"]
    printed = run(gt, pred, other, "--common-classes").stdout
    assert "over the 5 classes of any prediction" in " ".join(printed.split())
    assert alone["protocol"]["classes"] == [0, 1, 11, 13]
    assert first["protocol"]["classes"] == second["protocol"]["classes"] == [0, 1, 2, 11, 13]
    assert first["scores"]["PQ"] == pytest.approx(alone["scores"]["PQ"] * 4 / 5)


def test_tables_go_to_files(gt, pred, other, tmp_path):
    files = {kind: tmp_path / f"table.{kind}" for kind in ("csv", "tex", "md")}
    outcome = run(
        gt, pred, other,
        "--csv", files["csv"], "--latex", files["tex"], "--markdown", files["md"],
    )  # fmt: skip
    assert outcome.exit_code == 0
    with files["csv"].open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["prediction"] for row in rows] == ["pred", "other"]
    scores = [one["scores"] for one in result_of(gt, pred, other)["evaluations"]]
    assert [float(row["PAT (%)"]) / 100 for row in rows] == pytest.approx(
        [one["PAT"] for one in scores], abs=1e-12
    )
    for name in ("classes", "sequences"):
        with (tmp_path / f"table-{name}.csv").open() as stream:
            assert {row["prediction"] for row in csv.DictReader(stream)} == {"pred", "other"}

    assert scores[1]["PAT"] > scores[0]["PAT"]
    worse, better = (f"{100 * one['PAT']:.2f}" for one in scores)
    latex = files["tex"].read_text()
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert rule in latex
    assert rf"other & \textbf{{{better}}}" in latex
    assert rf"pred & {worse}" in latex
    assert f"| other | **{better}** |" in files["md"].read_text()


def test_one_prediction_has_no_best(gt, pred, tmp_path):
    run(gt, pred, "--latex", tmp_path / "table.tex")
    assert r"\textbf" not in (tmp_path / "table.tex").read_text()


def test_missing_frames_as_void_are_told(gt, pred):
    (pred / "0001" / "000003.png").unlink()
    refused = run(gt, pred)
    assert refused.exit_code == 3
    assert "0001: the prediction lacks 1 frame (000003) of 4" in refused.stderr
    found = result_of(gt, pred, "--missing", "void")
    assert found["protocol"]["missing"] == "void"
    assert found["protocol"]["frames_counted_as_void"] == 1
    table = run(gt, pred, "--missing", "void").stdout
    assert "pred lacks 1 frame, counted as all void." in table


def test_a_missing_frame_names_the_prediction_that_lacks_it(gt, pred, other):
    (other / "0001" / "000003.png").unlink()
    outcome = run(gt, pred, other)
    assert outcome.exit_code == 3
    assert f"{other}, sequence 0001: the prediction lacks 1 frame" in outcome.stderr


def test_official_protocol(gt, pred):
    found = result_of(gt, pred, "--pat-protocol", "official")
    assert found["protocol"]["pat"] == "official"
    assert found["protocol"]["classes"] == list(range(19))
    official = found["blocks"]["panoptic_tracking"]["official"]["dataset"]
    for name in ("PAT", "PQ", "TQ", "PTQ", "sPTQ", "LSTQ"):
        assert found["scores"][name] == official[name]


def test_the_headline_is_a_golden_variant(gt, pred):
    found = result_of(gt, pred)
    variant = found["blocks"]["panoptic_tracking"]["thing_ids_present_classes"]["dataset"]
    for name in ("PAT", "PQ", "TQ", "PTQ", "sPTQ", "LSTQ"):
        assert found["scores"][name] == variant[name]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--pat-protocol", "oficial"], "unknown PAT protocol 'oficial'; did you mean 'official'"),
        (["--dataset", "kiti-step"], "unknown label space 'kiti-step'; did you mean 'kitti-step'"),
        (["--encoding", "kiti-step"], "did you mean 'kitti-step'"),
        (["--seed", "-3"], "--seed is -3; expected 0 or more"),
        (["--seed", "9" * 23], "expected 0 or more, below 2**63"),
        (["-j", "0"], "-j must be at least 1, found 0"),
        (["--missing", "guess"], "'guess' is not one of 'error', 'void'"),
        (["--sequel"], "No such option"),
    ],
)
def test_wrong_usage_is_exit_code_2(gt, pred, words, message):
    outcome = run(gt, pred, *words)
    assert outcome.exit_code == 2
    assert message in outcome.stderr
    assert outcome.stdout == ""


def test_a_prediction_is_needed(gt):
    assert run(gt).exit_code == 2


def test_one_folder_twice_is_wrong_usage(gt, pred):
    assert run(gt, pred, pred).exit_code == 2


def test_ground_truth_against_itself_is_refused(gt):
    outcome = run(gt, gt)
    assert outcome.exit_code == 3
    assert "same folder" in outcome.stderr


def test_a_folder_that_is_not_there(gt, tmp_path):
    outcome = run(gt, tmp_path / "nowhere")
    assert outcome.exit_code == 3
    assert str(tmp_path / "nowhere") in outcome.stderr


def test_sizes_that_differ(gt, pred):
    write_frames(pred / "0002", [draw("r r r")] * 4)
    outcome = run(gt, pred)
    assert outcome.exit_code == 3
    assert "0002: the prediction is 3x1 pixels, the ground truth 6x1" in outcome.stderr


def test_a_class_outside_the_label_space(gt, pred):
    bad = draw("r r r s p2 c1")
    bad.codes[0, 3] = 77 << 24
    write_frames(pred / "0002", [bad], first=3)
    outcome = run(gt, pred)
    assert outcome.exit_code == 3
    assert f"{pred / '0002' / '000003.png'} (prediction): class 77" in outcome.stderr
    (pred / "0002" / "000003.png").rename(gt / "0002" / "000003.png")
    write_frames(pred / "0002", [draw("r r r s p2 c1")], first=3)
    outcome = run(gt, pred)
    assert f"{gt / '0002' / '000003.png'} (ground truth): class 77" in outcome.stderr
    assert "'kitti-step'" in outcome.stderr


def error_of(outcome):
    found = json.loads(outcome.stdout)
    assert list(found) == ["error"]
    assert list(found["error"]) == ["kind", "message", "where"]
    return found["error"]


@pytest.mark.parametrize("target", ["-", "file"])
def test_errors_are_json_on_stdout_when_asked_for(gt, tmp_path, target):
    file = tmp_path / "result.json"
    outcome = run(gt, tmp_path / "nowhere", "--json", "-" if target == "-" else file)
    assert outcome.exit_code == 3
    error = error_of(outcome)
    assert (error["kind"], error["where"]) == ("data", str(tmp_path / "nowhere"))
    assert error["message"]
    assert not file.exists()


def test_wrong_usage_is_json_too(gt, pred):
    outcome = run(gt, pred, "--sequel", "--json", "-")
    assert outcome.exit_code == 2
    assert error_of(outcome)["kind"] == "config"


def test_an_older_result_stays_when_the_command_fails(gt, pred, tmp_path):
    file = tmp_path / "result.json"
    file.write_text("older")
    assert run(gt, tmp_path / "nowhere", "--json", file).exit_code == 3
    assert file.read_text() == "older"
    assert run(gt, pred, "--json", file).exit_code == 0
    assert json.loads(file.read_text())["name"] == "pred"


def files_below(folder):
    return sorted(str(path) for path in folder.rglob("*"))


@pytest.mark.parametrize("obstacle", ["a folder in its place", "a file for a parent"])
def test_a_json_path_that_cannot_be_written(gt, pred, tmp_path, obstacle):
    blocked = tmp_path / "blocked"
    if obstacle == "a folder in its place":
        (blocked / "held").mkdir(parents=True)
        target = blocked
    else:
        blocked.write_text("a file")
        target = blocked / "result.json"
    before = files_below(tmp_path)
    outcome = run(gt, pred, "--json", target)
    assert outcome.exit_code == 3
    error = error_of(outcome)
    assert error["kind"] == "data"
    assert error["where"] == str(target)
    assert "cannot be written" in error["message"]
    assert files_below(tmp_path) == before


def test_a_table_that_cannot_be_written_leaves_the_older_json(gt, pred, tmp_path):
    (tmp_path / "table.csv").mkdir()
    file = tmp_path / "result.json"
    file.write_text("older")
    outcome = run(gt, pred, "--csv", tmp_path / "table.csv", "--json", file)
    assert outcome.exit_code == 3
    assert file.read_text() == "older"


def test_few_sequences_have_no_interval_and_the_table_says_so(gt, pred):
    found = result_of(gt, pred, "--intervals")
    assert found["intervals"]["PAT"] == {
        "n": 2,
        "reason": "2 sequences; an interval needs at least 5",
    }
    words = " ".join(run(gt, pred, "--intervals").stdout.split())
    assert words.count("2 sequences; an interval needs at least 5") == 1


def test_intervals_and_paired_differences(tmp_path):
    gt = write_films(tmp_path / "gt", six_films(GT))
    first = write_films(tmp_path / "first", six_films(SWITCHED, LOST, LOOSE))
    second = write_films(tmp_path / "second", six_films(GT, LOOSE, LOST, GT))
    file = tmp_path / "result.json"
    outcome = run(gt, first, second, "--intervals", "--full", "--json", file)
    assert outcome.exit_code == 0
    document = json.loads(file.read_text())
    for result in document["evaluations"]:
        interval = result["intervals"]["PAT"]
        assert (interval["n"], interval["level"]) == (6, 0.95)
        assert interval["method"].startswith("BCa")
        assert interval["low"] <= result["scores"]["PAT"] <= interval["high"]
        assert interval["low"] < interval["high"]
    assert "differences" not in document["evaluations"][0]
    paired = document["evaluations"][1]["differences"]
    assert paired["reference"] == "first"
    difference = paired["scores"]["PAT"]
    before, after = (result["scores"]["PAT"] for result in document["evaluations"])
    assert difference["difference"] == pytest.approx(after - before)
    assert 0 < difference["p_value"] <= difference["p_adjusted"] <= 1
    for one in paired["scores"].values():
        assert one["p_adjusted"] == one["p_value"]  # a score has one comparison
    assert "corrected for 1 comparison of each score" in outcome.stdout
    assert "Difference to first in counts" in outcome.stdout
    assert "n = 6" in outcome.stdout
    assert "first" in outcome.stdout


def test_nothing_heavy_is_imported(gt, pred):
    code = (
        "import sys\n"
        "from mapt_bench.cli import main\n"
        "try:\n"
        f"    main(['evaluate', {str(gt)!r}, {str(pred)!r}])\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0, end.code\n"
        "heavy = {'torch', 'torchvision', 'matplotlib', 'cv2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert outcome.returncode == 0, outcome.stderr
    assert "PAT" in outcome.stdout
    assert outcome.stderr == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--csv", "x", "--latex", "./x"], "x: --csv and --latex name the same file"),
        (["--csv", "x", "--json", "x"], "x: --csv and --json name the same file"),
        (["--json", ""], "--json is empty; name a file"),
        (["--latex", ""], "'--latex': the path is empty; expected a file"),
        (["--csv", "-"], "--csv writes to a file; name one, or use --json - for stdout"),
    ],
)
def test_outputs_must_be_files_of_their_own(gt, pred, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    before = files_below(tmp_path)
    outcome = run(gt, pred, *words)
    assert outcome.exit_code == 2
    assert message in outcome.stderr.replace("./x: ", "x: ")
    assert files_below(tmp_path) == before


def test_outputs_are_written_all_or_none(gt, pred, tmp_path):
    (tmp_path / "table-classes.csv").mkdir()  # in the way of the second table
    before = files_below(tmp_path)
    outcome = run(gt, pred, "--csv", tmp_path / "table.csv", "--json", tmp_path / "a.json")
    assert outcome.exit_code == 3
    assert "table-classes.csv" in outcome.stderr
    assert files_below(tmp_path) == before


def test_an_output_that_cannot_be_written_is_told_before_any_work(gt, tmp_path):
    (tmp_path / "taken.json").mkdir()
    outcome = run(gt, tmp_path / "nowhere", "--json", tmp_path / "taken.json")
    assert outcome.exit_code == 3
    assert "taken.json: cannot be written (it is a folder)" in outcome.stderr


def test_the_name_of_a_table_file_does_not_depend_on_predictions(gt, tmp_path):
    odd = write_films(tmp_path / 'a|b`"c', {"0001": GT, "0002": GT})
    run(gt, odd, "--csv", tmp_path / "t.csv")
    names = {path.name for path in tmp_path.glob("t*.csv")}
    assert names == {"t.csv", "t-classes.csv", "t-sequences.csv"}


def test_names_with_terminal_escapes_are_text_in_answers_and_errors(gt, pred, tmp_path):
    odd = write_films(tmp_path / "odd\x1b[31m\nname", {"0001": GT, "0002": LOST})
    answer = run(gt, pred, odd)
    assert answer.exit_code == 0
    assert r"odd\x1b[31m\nname" in answer.stdout
    error = run(gt, tmp_path / "none\x1b[31m")
    assert error.exit_code == 3
    assert r"none\x1b[31m" in error.stderr
    assert "\x1b" not in answer.stdout + error.stderr


def test_an_empty_folder_name_is_wrong_usage(pred):
    outcome = run("", pred)
    assert outcome.exit_code == 2
    assert "the path is empty" in outcome.stderr


def test_losses_say_where_the_points_were_lost(gt, pred, other, tmp_path):
    found = result_of(gt, pred, "--losses")["losses"]
    lacking = found["perfect"]["PAT"] - found["score"]["PAT"]
    shares = [kind["share"]["PAT"] for kind in found["kinds"].values()]
    assert sum(shares) == pytest.approx(lacking, abs=1e-9)
    assert found["kinds"]["identity"]["causes"]["new_identity"]["share"]["PAT"] > 0
    assert "losses" not in result_of(gt, pred)

    outcome = run(gt, pred, other, "--losses", "--csv", tmp_path / "losses.csv")
    assert outcome.exit_code == 0, outcome.stderr
    outcome = run(gt, pred, "--losses")
    lines = outcome.stdout[outcome.stdout.index("Where the points were lost") :].splitlines()
    lines = lines[: next(at for at, line in enumerate(lines) if line.startswith("evaluate on"))]
    assert len(lines) <= 12
    assert max(map(len, lines)) <= 100
    last = next(line for line in lines if line.startswith("all "))
    assert last.split()[1] == f"{100 * lacking:.2f}"


def test_slices_are_printed_and_do_not_depend_on_workers(gt, pred):
    one = result_of(gt, pred, "--slices")
    assert one["slices"] == result_of(gt, pred, "--slices", "-j", "2")["slices"]
    assert {each["slice"] for each in one["slices"]} >= {"object size", "speed", "nearest", "class"}
    assert "slices" not in result_of(gt, pred)
    outcome = run(gt, pred, "--slices")
    assert outcome.exit_code == 0, outcome.stderr
    assert "by properties of the objects" in outcome.stdout


def test_losses_do_not_depend_on_workers(gt, pred):
    one = result_of(gt, pred, "--losses")
    two = result_of(gt, pred, "--losses", "-j", "2")
    assert one["losses"] == two["losses"]


def test_losses_over_common_classes_lack_what_no_repair_brings(tmp_path):
    film = "c1 c1 r | c1 c1 r"
    texts = {"gt": film, "pred": film.replace("| c1 c1", "| c5 c5"), "foreign": "c1 c1 p1 | r r r"}
    folders = [write_films(tmp_path / name, {"0001": text}) for name, text in texts.items()]
    found = result_of(*folders, "--losses", "--common-classes")["evaluations"][0]
    assert found["losses"]["score"]["PAT"] == pytest.approx(found["scores"]["PAT"])
    assert found["losses"]["perfect"]["PQ"] == pytest.approx(2 / 3)
