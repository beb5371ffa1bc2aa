"""Tables of runs: which are a group, what stands in a cell, and what is refused."""

import csv
import dataclasses
import html
import json
import re

import numpy as np
import pytest
from commands import run
from PIL import Image
from scipy import stats

from tfgans.comparison import (
    Comparison,
    RecordedRun,
    comparison_text,
    figures,
    find_runs,
    search_runs,
    write_comparison,
    write_report,
)
from tfgans.comparison.comparison import evaluate_command
from tfgans.comparison.settings import differing
from tfgans.evaluation import MetricValue, Record

NAMES = {"frechet_distance[digits_classifier]": 20.0, "precision": 0.5, "recall": 0.3}
RATES = {"WGANGP": 1e-4, "R3GAN": 2e-4}


def number(value):
    return MetricValue(value, (value - 0.1, value + 0.1), 0.05, None, "jackknife", 100, 100)


def record_of(values, step=40):
    return Record(
        metrics={name: number(value) for name, value in values.items()},
        seed=0,
        real={"source": "digits", "split": "train", "num_examples": 100, "checksum": "a"},
        fake={"num_examples": 100, "classes": None, "step": step, "ema": 0.9},
        extractor={"name": "digits_classifier", "checksum": "b", "resizing": "none"},
        versions={"tfgans": "0.2.0"},
    )


def write_run(path, *, model, components, seed, values=None, finished=True, steps=40, flags=True):
    """Writes what a run leaves, without training."""
    (path / "grids").mkdir(parents=True)
    rate = {"class_name": "Adam", "config": {"learning_rate": RATES[model], "beta_1": 0.0}}
    mixture = {"mixture": {"components": components, "seed": seed}} if components > 1 else {}
    settings = {"model": model, "seed": seed, "source_seed": seed, "split": "train"}
    settings |= {"generator": {"parameters": 10 * components, **mixture}, "num_examples": 100}
    settings |= {"generator_optimizer": rate, "discriminator_optimizer": rate}
    length = {"steps": 40, "minutes": None, "cpu_seconds": None, "steps_per_epoch": 20}
    description = {"settings": settings, "length": length, "data": None, "versions": {}}
    description |= {"finished": finished, "class_names": None}
    (path / "run.json").write_text(json.dumps(description))
    if flags:
        lines = f"--model={model.lower()}\n--num_generators={components}\n--seed={seed}\n"
        (path / "flags.txt").write_text(f"{lines}--run_dir={path}\n--noflip\n")
    rows = [f"{step},{step / 10},{step * (seed + 1)}" for step in range(0, steps + 1, 20)]
    (path / "time.csv").write_text("\n".join(["step,seconds,cpu_seconds", *rows, ""]))
    rows = [f"{epoch},{1.0 - epoch},2.0" for epoch in range(steps // 20)]
    (path / "log.csv").write_text("\n".join(["epoch,generator_loss,penalty", *rows, "7,0."]))
    for step in range(0, steps + 1, 20):
        Image.new("L", (8, 8)).save(path / "grids" / f"step-{step:08d}.png")
    if finished:
        (path / "final.keras").write_bytes(b"")
    if values is not None:
        (path / "evaluation").mkdir()
        save_record(path, record_of(values))


def edit_run(path, **parts):
    """Changes entries of parts of `run.json`."""
    description = json.loads((path / "run.json").read_text())
    for name, changes in parts.items():
        description[name] |= changes
    (path / "run.json").write_text(json.dumps(description))


def save_record(path, record):
    record.save(path / "evaluation" / "evaluation.json")


def values_of(group, seed):
    return {name: value + group + 0.1 * ((3 * seed + group) % 5) for name, value in NAMES.items()}


@pytest.fixture
def table(tmp_path):
    """12 runs of 2 x 2 settings and 3 seeds."""
    cells = [("WGANGP", 1), ("WGANGP", 4), ("R3GAN", 1), ("R3GAN", 4)]
    for group, (model, components) in enumerate(cells):
        for seed in range(3):
            path = tmp_path / f"{group}-{seed}"
            values = values_of(group, seed)
            write_run(path, model=model, components=components, seed=seed, values=values)
    return tmp_path


def test_numbers_of_the_table(table, tmp_path):
    done = run("compare", "{runs} --out={out}", runs=table, out=table / "out")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("# 12 runs in 4 groups by model, num_generators\n")
    assert "100 real examples, features of digits_classifier, evaluation seed 0." in done.stdout
    rows = re.findall(
        r"^\| (\w+) \| (\d) \| 3 \| 40 \| 80 \[40, 120\] \| (.*?) \|", done.stdout, re.M
    )
    assert [row[:2] for row in rows] == [
        *[("wgangp", "1"), ("wgangp", "4"), ("r3gan", "1"), ("r3gan", "4")]
    ]
    name = next(iter(NAMES))
    numbers = np.array([[values_of(group, seed)[name] for seed in range(3)] for group in range(4)])
    for row, ours in zip(rows, numbers, strict=True):
        middle, low, high = (f"{f(ours):.3g}" for f in (np.median, np.min, np.max))
        best = np.median(ours) == np.median(numbers, axis=1).min()
        assert row[2] == (f"**{middle}**" if best else middle) + f" [{low}, {high}]"
    wins = int((numbers[1] < numbers[0]).sum())
    p_value = stats.binomtest(wins, 3).pvalue
    assert f"| wgangp, num_generators=4 | p = {p_value:.2g} ({wins} of 3) |" in done.stdout
    assert "With 3 pairs p is at least 0.25" in done.stdout
    assert "needs 6 pairs, and the rank test (`--test=rank`) 4 values in each" in done.stdout
    with (table / "out" / "runs.csv").open(newline="") as file:
        assert [float(row[name]) for row in csv.DictReader(file)] == pytest.approx(numbers.ravel())
    page = (table / "out" / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert page.count("data:image/webp") == 4
    assert page.count("data:image/svg+xml") == 3  # No evaluations on the way.
    text = (table / "out" / "report.md").read_text()
    assert "![" not in text
    assert text.startswith(done.stdout[:-1])


def test_a_reference_is_a_row_and_must_compare(table):
    reference = record_of({"precision": 0.9, "recall": 0.8})
    of_real = {"model": "real examples", "split": "test"}
    dataclasses.replace(reference, fake=reference.fake | of_real).save(table / "real.json")
    flags = "{runs} --reference={runs}/real.json --out={runs}/out"
    done = run("compare", flags, runs=table)
    assert done.returncode == 0, done.stderr
    row = r"^\| \*real examples, split test\* \| - \| - \| - \| - \| - \| 0.9 \[0.8, 1\] \| 0.8 "
    assert re.search(row, done.stdout, re.M)
    assert "<em>real examples, split test</em>" in (table / "out" / "report.html").read_text()
    dataclasses.replace(reference, real=reference.real | {"split": "test"}).save(
        table / "real.json"
    )
    assert "the reference: real split" in run("compare", flags, runs=table).stderr
    flags = "{runs} --reference={runs}/missing.json"
    assert "missing.json, which does not exist. `tfgans" in run("compare", flags, runs=table).stderr


def test_paths_of_both_kinds(table, monkeypatch):
    monkeypatch.chdir(table)
    text = comparison_text(Comparison(find_runs(["0-0", table / "1-0"])))
    assert "| 0-0 | 0 |" in text
    assert "| 1-0 | 0 |" in text


def test_a_switch_whose_name_begins_with_no(table):
    (table / "0-0" / "flags.txt").write_text("--non_saturating\n--noflip\n")
    assert RecordedRun(table / "0-0").flags == {"non_saturating": "true", "flip": "false"}


def test_limits_that_differ_stand_beside_what_was_measured(table):
    for name, limit in (("0-0", 60), ("0-1", 300)):
        edit_run(table / name, length={"steps": None, "cpu_seconds": limit})
    compared = Comparison(find_runs([table / "0-0", table / "0-1"]))
    assert [*compared.rows["--cpu_seconds"]] == ["60", "300"]
    assert [*compared.rows["cpu_seconds"]] == [40.0, 80.0]
    assert "| --cpu_seconds | seeds | steps | CPU s |" in comparison_text(compared)


def test_the_command_for_a_record_names_the_extractor_of_the_run(table):
    (table / "0-0" / "flags.txt").write_text("--extractor=keras:net.keras:pool\n")
    like = record_of({"precision": 0.9})
    like = dataclasses.replace(like, extractor=like.extractor | {"name": "net.pool"})
    command = evaluate_command(RecordedRun(table / "0-0"), like=like)
    assert "--extractor=keras:net.keras:pool" in command


def test_rank_test_and_baseline(table):
    name = next(iter(NAMES))
    runs = find_runs([table / "0-*", table / "3-*"])
    result = Comparison(runs, test="rank", baseline=runs[-1])
    base, other = result.groups
    assert base.label == "r3gan, num_generators=4"
    numbers = [[values_of(group, seed)[name] for seed in range(3)] for group in (0, 3)]
    expected = stats.mannwhitneyu(*numbers, method="exact").pvalue
    assert result.test(name, other, base) == ("rank", pytest.approx(expected), (3, 3))
    # 2 of C(6, 3) splits are the most uneven ones.
    text = comparison_text(result)
    assert "With 3 and 3 values p is at least 0.1, whatever the difference. To reach p" in text
    # Without a seed in common the signed test has no pairs.
    separate = Comparison(find_runs([table / "0-0", table / "3-1"]))
    assert separate.test(name, *separate.groups).name == "rank"


def evaluate_in_training(path, values):
    record = record_of(values).to_dict()
    protocol = {"seed": 0, "num_samples": 100, "real": record["real"]}
    text = json.dumps(protocol | {"extractor": record["extractor"]})
    (path / "evaluation.csv.json").write_text(text)
    rows = [
        f"{step},{name},{value * 40 / step},0,9"
        for step in (20, 40)
        for name, value in values.items()
    ]
    (path / "evaluation.csv").write_text("\n".join(["step,metric,value,low,high", *rows, ""]))
    edit_run(path, versions=record["versions"])


@pytest.mark.parametrize(("also_of", "from_training"), [("0-1", {"0-0", "0-1"}), (None, {"0-1"})])
def test_evaluations_in_training_take_the_place_of_records(table, also_of, from_training):
    (table / "0-1" / "evaluation" / "evaluation.json").unlink()
    evaluate_in_training(table / "0-1", {"recall": 0.7})
    if also_of:
        evaluate_in_training(table / "0-0", {"recall": 0.6})
    runs = find_runs([table / "0-0", table / "0-1"])
    result = Comparison(runs)
    assert {run.path.name for run in runs if run.name in result.in_training} == from_training
    first = 0.6 if also_of else values_of(0, 0)["recall"]
    assert result.groups[0].numbers("recall").tolist() == [first, 0.7]


def test_a_schedule_moves_an_average(table):
    """So it is no doubt that another run has an average of a constant decay."""
    evaluate_in_training(table / "0-0", {"recall": 0.6})
    schedule = {"class_name": "R3GANSchedule", "config": {"num_images": 9}}
    edit_run(table / "0-0", settings={"ema": None, "schedule": schedule})
    (run,) = find_runs([table / "0-0"])
    assert run.last_evaluation.possible_differences(run.record) == []


def test_settings_tell_groups_apart_without_flags(tmp_path):
    for seed, (model, components) in enumerate([("R3GAN", 1), ("WGANGP", 2), ("WGANGP", 1)]):
        path = tmp_path / f"{seed}"
        write_run(path, model=model, components=components, seed=seed, flags=False)
    result = Comparison(find_runs([tmp_path]))
    assert [group.label for group in result.groups] == [
        *["R3GAN, components=-", "WGANGP, components=2", "WGANGP, components=-"]
    ]
    # The rates of both players are the same setting, and follow from the model.
    assert result.settings["learning_rate"] == ["0.0002", "0.0001", "0.0001"]


def test_settings_that_differ_by_short_and_whole_names():
    def settings(rate, weight, **more):
        rates = {"generator.rate": rate, "discriminator.rate": 0.1}
        return rates | {"penalty.weight": weight, "seed": rate} | more

    both = {"generator.beta": 0.5, "discriminator.beta": 0.5}
    groups = [settings(0.1, 2, schedule=None), settings(0.2, 2.0, **both)]
    assert differing(groups) == {
        # The generator's alone; the same for both players; 2 and 2.0 or none and None are equal.
        "generator.rate": ["0.1", "0.2"],
        "beta": ["-", "0.5"],
    }


def test_unfinished_failed_and_unmeasured_runs_are_rows(table):
    write_run(table / "0-3", model="WGANGP", components=1, seed=3, finished=False, steps=20)
    write_run(table / "0-4", model="WGANGP", components=1, seed=4, finished=False, steps=0)
    finding = "step,rollbacks,symptom,value,limit,action\n10,0,of a later version,1,2,warned\n"
    finding += "20,0,not finite,nan,inf,stopped\n"
    (table / "0-3" / "doctor.csv").write_text(finding)
    (table / "sweep.json").write_text("{}")
    row = "0-9,failed,ValueError: too wide\n"
    (table / "table.csv").write_text(f"run,state,error\n0-4,failed,killed\n{row}")
    done = run("compare", "{runs}", runs=table)
    assert done.returncode == 0, done.stderr
    assert "| 0-3 | 3 | failed: not finite at step 20 | 20 | 80 | - |" in done.stdout
    assert "| 0-4 | 4 | failed at step 0: killed | 0 | 0 | - |" in done.stdout
    assert "| 0-9 | - | failed: ValueError: too wide | - |" in done.stdout
    note = r"^- failed runs enter no median and no test: .* \(\S*/0-4, \S*/0-3\)$"
    assert re.search(note, done.stdout, re.M)
    assert "| wgangp | 1 | 5 (2 without record) | 40 [0, 40] |" in done.stdout
    assert "tfgans evaluate" not in done.stdout.partition("## Runs without a record")[2]
    assert f"no model that could be evaluated:\n\n- {table}/0-3\n\n" in done.stdout
    (table / "0-3" / "initial.keras").write_bytes(b"")
    (table / "0-3" / "backups").mkdir()
    (table / "0-3" / "backups" / "step-00000020-a.weights.h5").write_bytes(b"")
    text = comparison_text(Comparison(find_runs([table])))
    assert f"tfgans evaluate --run_dir={table}/0-3 --extractor=digits\n" in text
    assert "no model" not in text
    done = run("report", "{runs}/0-3", runs=table)
    assert "| stopped | lower the learning rates, or add a penalty or norm" in done.stdout


def test_numbers_of_unfinished_runs_do_not_count(table):
    values = dict.fromkeys(NAMES, 0.0)
    write_run(
        table / "0-3", model="WGANGP", components=1, seed=3, values=values, finished=False, steps=20
    )
    compared = Comparison(find_runs([table]))
    assert compared.groups[0].numbers("recall").index.tolist() == [0, 1, 2]
    text = comparison_text(compared)
    assert "| wgangp | 1 | 4 (1 unfinished) |" in text
    assert f"- the numbers of unfinished runs do not count ({table}/0-3)" in text
    assert "| 0-3 | 3 | unfinished: step 20 of 40 | 20 | 80 | 0 [-0.1, 0.1] |" in text
    # As long as no run has finished, the numbers of all count.
    for path in table.glob("*/run.json"):
        path.write_text(path.read_text().replace('"finished": true', '"finished": false'))
    assert Comparison(find_runs([table])).groups[0].numbers("recall").tolist()[3] == 0.0


def test_records_of_an_earlier_step_are_counted_beside_the_seeds(table):
    """The steps of the table are those of the runs."""
    save_record(table / "0-1", record_of(values_of(0, 1), step=20))
    text = comparison_text(Comparison(find_runs([table])))
    assert "| wgangp | 1 | 3 (1 evaluated at an earlier step) | 40 |" in text
    assert f"- the record of {table}/0-1 is of step 20, and the run is at 40" in text


def test_groups_are_not_tested_for_numbers_of_the_real_examples(table):
    for index, path in enumerate(sorted(table.glob("*/evaluation/evaluation.json"))):
        record_of({"ms_ssim": 0.5, "ms_ssim(real)": 0.3 + index / 100}).save(path)
    numbers, _, tests = comparison_text(Comparison(find_runs([table]))).partition("## Tests")
    assert "ms_ssim(real)" in numbers
    tests, _, _ = tests.partition("## Runs")
    assert "| ms_ssim |" in tests
    assert "ms_ssim(real)" not in tests
    of_real = Comparison(find_runs([table]), metrics=["ms_ssim(real)"])
    assert "## Tests" not in comparison_text(of_real)
    # A group without numbers has no test.
    for path in table.glob("[1-3]-*/evaluation/evaluation.json"):
        path.unlink()
    assert "## Tests" not in comparison_text(Comparison(find_runs([table])))


def test_a_report_has_the_counts_of_a_record_and_none_of_evaluations_in_training(table):
    """`evaluation.csv` does not say how many examples a metric has read."""
    evaluate_in_training(table / "0-0", {"ms_ssim": 0.6})
    write_report(RecordedRun(table / "0-0"), table / "out")
    assert "| real | generated |" in (table / "out" / "report.md").read_text()
    (table / "0-0" / "evaluation" / "evaluation.json").unlink()
    write_report(RecordedRun(table / "0-0"), table / "out")
    text = (table / "out" / "report.md").read_text()
    assert "| ms_ssim | 0.6 | 0 to 9 |" in text
    assert "100 generated against 100 real examples" in text
    assert "| real | generated |" not in text


def test_runs_with_the_same_seed_of_the_model_are_no_repetitions(table):
    """`GAN(seed=0)` does not seed the networks; those of `run.json` do."""
    paths = [table / f"0-{seed}" for seed in range(3)]
    for path in paths:
        edit_run(path, settings={"seed": 0, "source_seed": 0, "generator": {"seeds": [path.name]}})
    compared = Comparison(find_runs(paths))
    assert len(compared.groups[0].numbers("recall")) == 3
    assert compared.repeated == []
    write_run(table / "1-3", model="WGANGP", components=4, seed=2, values=values_of(1, 2))
    other = Comparison(find_runs([table / "1-*"]))
    (text,) = other.repeated
    assert text.startswith(f"{table}/1-2 and {table}/1-3 have the same settings and seeds")
    assert len(other.groups[0].numbers("recall")) == 3
    assert "| all runs | 3 (4 runs) | 40 |" in comparison_text(other)


def test_two_records_that_compare_with_a_third_must_compare(table):
    def record(path, names, num):
        numbers = {name: dataclasses.replace(number(0.5), num_fake=num[name]) for name in names}
        save_record(table / path, dataclasses.replace(record_of({}), metrics=numbers))

    record("0-0", ["recall"], {"recall": 100})
    record("0-1", ["recall", "precision"], {"recall": 100, "precision": 100})
    record("0-2", ["recall", "precision"], {"recall": 100, "precision": 50})
    with pytest.raises(ValueError, match=r"0-1, the first here\. .*0-2: precision is of"):
        Comparison(find_runs([table / "0-*"]))


def test_failures_without_a_folder_are_listed_by_any_place(table):
    (table / "sweep.json").write_text("{}")
    (table / "table.csv").write_text("run,state,error\n0-9,failed,too wide\n1-9,waiting,\n")
    failed, waiting = f"{table}/0-9", f"{table}/1-9"
    both = {failed: "failed: too wide", waiting: "waiting"}
    for places in ([table], [f"{table}*"], [table / "*-9"]):
        assert search_runs([table / "0-0", *places]).absent == both
    assert both.items() <= search_runs([table.parent]).absent.items()
    assert search_runs([table / "0-*"]).absent == {failed: "failed: too wide"}
    assert search_runs([table / "0-0"]).absent == {}
    with pytest.raises(
        ValueError, match=r"begun and can be read\. Received: .*0-9: failed: too wide"
    ):
        find_runs([table / "0-9*"])


def test_a_damaged_table_of_a_sweep_is_named(table):
    (table / "sweep.json").write_text("{}")
    (table / "table.csv").write_text("[1]\n2\n")
    with pytest.warns(UserWarning, match=r"order of a sweep .*left out: .*table\.csv must be"):
        runs, absent = search_runs([table])
    assert absent == {}
    assert len(runs) == 12
    assert runs[0].state == "finished; damaged: ../table.csv"


NAME = r"*a* _b_ `c` [d](e) <script> f|g &lt; $\i$ #"


def test_names_are_shown_as_they_are(table):
    (table / "0-0").rename(table / NAME)
    for seed in range(3):
        path = table / f"1-{seed}" / "flags.txt"
        path.write_text(path.read_text().replace("=wgangp", f"={NAME}"))
    compared = Comparison(find_runs([table]))
    write_comparison(compared, table / "out", f"tfgans compare '{NAME}'")
    page = (table / "out" / "report.html").read_text()
    assert "<script>" not in page
    cells = [html.unescape(cell) for cell in re.findall("<td.*?>(.*?)</td>", page)]
    assert cells.count(NAME) == 3  # The run, and its group in two tables of numbers.
    assert f"{NAME}, num_generators=4" in cells
    heads = [html.unescape(cell) for cell in re.findall("<th>(.*?)</th>", page)]
    assert f"{NAME}, num_generators=4" in heads
    assert f"<code>tfgans compare '{html.escape(NAME, quote=False)}'</code>" in page
    write_report(RecordedRun(table / NAME), table / "out")
    title = html.escape(f"{table}/{NAME}", quote=False)
    assert f"<h1>{title}</h1>" in (table / "out" / "report.html").read_text()


def test_long_names_leave_the_panels_their_size(table):
    for seed in range(3):
        with (table / f"0-{seed}" / "flags.txt").open("a") as file:
            file.write(f"--metrics={'a_long_name,' * 9}\n--objective={'b' * 90}\n")
    figure = figures.precision_recall(Comparison(find_runs([table])))
    figure.draw_without_rendering()
    assert figure.axes[0].get_window_extent().width > 0.8 * figure.bbox.width


def damage(path):
    path.write_bytes(path.read_bytes()[:40])


def test_damaged_files_are_named_and_the_others_compared(table):
    damage(table / "0-1" / "run.json")
    damage(table / "0-2" / "evaluation" / "evaluation.json")
    damage(table / "1-0" / "grids" / "step-00000040.png")
    done = run("compare", "{runs} --out={out}", runs=table, out=table / "out")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\| 0-1 \| - \| \S*0-1/run.json is damaged. Restore", done.stdout, re.M)
    assert "| 0-2 | 2 | finished; damaged: evaluation/evaluation.json | 40 |" in done.stdout
    assert "| wgangp | 1 | 2 (1 with damaged record) |" in done.stdout
    sentence = (
        r"^- .*0-2/evaluation/evaluation.json is no record .* are left out: .*evaluate` again"
    )
    assert re.search(sentence, done.stdout, re.M)
    page = (table / "out" / "report.html").read_text()
    assert page.count("data:image/webp") == 3
    assert f"seed 0, step 40: {table}/1-0/grids/step-00000040.png cannot be read" in page
    with pytest.raises(ValueError, match=r"0-1/run.json is damaged"):
        find_runs([table / "0-1"])
    with pytest.warns(UserWarning, match=r"left out: .*0-1/run.json is damaged"):
        assert len(find_runs([table])) == 11


def test_a_damaged_record_is_not_replaced_by_evaluations_in_training(table):
    for seed in range(3):
        evaluate_in_training(table / f"0-{seed}", {"recall": 0.6})
    damage(table / "0-1" / "evaluation" / "evaluation.json")
    result = Comparison(find_runs([table / "0-*"]), metrics=["recall"])
    assert result.groups[0].numbers("recall").to_dict() == {
        seed: values_of(0, seed)["recall"] for seed in (0, 2)
    }


@pytest.mark.parametrize(
    "name",
    [
        *("time.csv", "log.csv", "doctor.csv", "doctor-readings.csv", "mixture.csv"),
        *("evaluation.csv", "evaluation.csv.json"),
    ],
)
def test_each_damaged_file_is_named(table, name):
    evaluate_in_training(table / "0-0", {"recall": 0.6})
    (table / "0-0" / name).write_text("[1]\n2,x,y\n")
    (run_of,) = find_runs([table / "0-0"])
    assert [*run_of.damage] == [name]
    assert str(table / "0-0" / name) in run_of.damage[name]
    write_report(run_of, table / "out")
    assert f"finished; damaged: {name}" in (table / "out" / "report.md").read_text()
    assert Comparison([run_of]).groups[0].numbers("recall").tolist() == [values_of(0, 0)["recall"]]


def test_links_to_runs_are_followed(table, tmp_path_factory):
    disk = tmp_path_factory.mktemp("disk")
    (table / "0-1").rename(disk / "moved")
    (table / "0-1").symlink_to(disk / "moved")
    (table / "1-0").rename(disk / "1-0")
    (table / "more").symlink_to(disk)
    (table / "inner").mkdir()
    (table / "1-2").rename(table / "inner" / "1-2")
    (table / "inner" / "above").symlink_to(table)
    (table / "current").symlink_to(table / "inner")
    for name in ("9-9", "1-1/latest"):  # The second is no run: it lies in one.
        (table / name).symlink_to(disk / "absent")
    names = [run.path.relative_to(table).as_posix() for run in find_runs([table])]
    assert len(names) == 12
    assert {"0-1", "more/1-0", "inner/1-2"} < set(names)
    assert [run.name for run in find_runs([table / "inner"])] == [f"{table}/inner/1-2"]
    missing = {f"{table}/9-9": f"a link to {disk}/absent, which is missing"}
    for places in ([table], [table / "0-0", table / "9-*"]):
        assert search_runs(places).absent == missing


@pytest.mark.parametrize(
    ("smallest", "labels"),
    [(0.3, {"0.5", "1", "2", "5", "10"}), (1e-3, {"0.01", "0.1", "1", "10"})],
)
def test_a_logarithmic_axis_has_few_plain_labels(smallest, labels, table):
    name = next(iter(NAMES))
    save_record(table / "0-0", record_of(values_of(0, 0) | {name: smallest}))
    figure = figures.seeds(Comparison(find_runs([table]), metrics=[name]))
    figure.canvas.draw()
    axis = figure.axes[0].xaxis
    low, high = sorted(axis.get_view_interval())
    shown = {
        label.get_text()
        for label, place in zip(axis.get_ticklabels(), axis.get_ticklocs(), strict=True)
        if low <= place <= high
    }
    assert shown >= labels
    assert len(shown) <= len(labels) + 2
    assert not any(label.get_text() for label in axis.get_ticklabels(minor=True))


def test_runs_that_end_early_stay_in_the_curves(table):
    for name, steps in (("0-0", (20, 40)), ("0-1", (20,)), ("0-2", (10, 40))):
        evaluate_in_training(table / name, {"recall": 0.5})
        rows = [f"{step},recall,{step / 100},0,1" for step in steps]
        text = "\n".join(["step,metric,value,low,high", *rows, ""])
        (table / name / "evaluation.csv").write_text(text)
    (axes, _) = figures.metric_curves(Comparison(find_runs([table / "0-*"]))).axes
    (line,) = axes.lines
    np.testing.assert_allclose(line.get_xydata(), [[10, 0.1], [20, 0.2], [40, 0.4]])


def test_records_that_do_not_compare_are_refused(table):
    record = record_of(values_of(2, 1))
    real = record.real | {"checksum": "z"}
    save_record(table / "2-1", dataclasses.replace(record, real=real))
    done = run("compare", "{runs}", runs=table)
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"tfgans compare: error: These records are not comparable with that of {table}/0-0, the "
        f"first here. {table}/2-1: "
    )
    assert "real checksum is a in the first and z" in done.stderr


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("compare {runs}/nothing", "Received: nothing of this name"),
        ("compare {runs}/0-0/grids", "Received: no run.json in it or below"),
        ("compare {runs} --metrics=FID", "have frechet_distance, precision, recall. Received"),
        ("compare {runs}/0-* --baseline={runs}/1-0", "--baseline must be among the runs"),
        ("compare {runs} --baseline={runs}", "--baseline must be a single run"),
        ("report {runs}", "expected a single run"),
    ],
)
def test_bad_calls(table, command, message):
    name, _, flags = command.partition(" ")
    done = run(name, flags, runs=table)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
