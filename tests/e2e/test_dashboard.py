"""What a user does in the dashboard: in a real browser, through ``nas-rnn ui``, on a search that was really run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
import pytest

from nas_rnn.experiment.results import Result
from nas_rnn.tracking import default_uri

if TYPE_CHECKING:
    from mlflow.entities import Run
    from playwright.sync_api import Page

# The grid keeps its rows in the order in which they were made; where they stand is in `row-index`.
GAPS = """() => [...document.querySelectorAll("[role=gridcell][col-id*=gap_to_lstm]")]
    .map(cell => [Number(cell.closest("[role=row]").getAttribute("row-index")), cell.innerText.trim()])
    .sort((one, other) => one[0] - other[0]).map(([_, text]) => text)"""
SHOWN = f"wanted => JSON.stringify(({GAPS})().filter(text => text !== '-')) === JSON.stringify(wanted)"
LOADED = "image => image.complete && image.naturalWidth > 100"
DRAWN = """wanted => [...document.querySelectorAll(".js-plotly-plot")]
    .filter(plot => plot.data.some(trace => trace.y && trace.y.length > 0)).length >= wanted"""
SYSTEM = ("cpu_utilization_percentage", "system_memory_usage_megabytes", "process_memory_usage_megabytes")


@pytest.fixture(scope="module")
def runs(searched: tuple[Path, Result]) -> list[Run]:
    """What MLflow holds of the search, the smallest gap to the LSTM first."""
    client = mlflow.MlflowClient(default_uri(searched[0]))
    experiment = client.get_experiment_by_name("char-lm · my-text.txt")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], order_by=["metrics.gap_to_lstm ASC"]))


def test_the_search_and_its_answer_are_seen_first(page: Page, searched: tuple[Path, Result]) -> None:
    """The answer stands above the table, and leads to the search: the verdict, and the report as an artifact."""
    _, result = searched
    assert result.comparison is not None
    page.get_by_text(f"is {result.comparison.contenders[0].verdict}").first.wait_for()
    with page.expect_popup() as opened:
        page.get_by_role("link", name="mine", exact=True).first.click()
    page = opened.value
    page.get_by_role("heading", name="mine", exact=True).wait_for()
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("report.html", exact=True).click()
    report = page.frame_locator("iframe").first
    report.get_by_role("heading", name="mine", exact=True).wait_for()
    assert result.comparison.contenders[0].verdict in report.locator("body").inner_text()


def test_the_runs_are_sorted_by_their_gap_to_the_lstm(page: Page, runs: list[Run]) -> None:
    """As the table opens, and the other way round by a click on the heading; runs without a gap stay below."""
    gaps = [run.data.metrics["gap_to_lstm"] for run in runs if "gap_to_lstm" in run.data.metrics]
    assert gaps == sorted(gaps) and len(gaps) >= 3 and 0.0 in gaps
    shown = [f"{gap:g}" for gap in gaps]
    page.wait_for_function(SHOWN, arg=shown)
    assert page.evaluate(GAPS)[-1] == "-"
    page.get_by_test_id("sort-header-gap_to_lstm").click()
    page.wait_for_function(SHOWN, arg=shown[::-1])
    assert page.evaluate(GAPS)[-1] == "-"


def test_a_candidate_shows_its_equations_diagram_and_machine(page: Page, runs: list[Run]) -> None:
    best = next(run for run in runs if run.data.tags["role"] == "candidate")
    page.get_by_role("link", name=best.info.run_name, exact=True).first.click()
    page.get_by_role("heading", name=best.info.run_name, exact=True).wait_for()
    page.get_by_text("better than the LSTM").or_(page.get_by_text("worse than the LSTM")).first.wait_for()
    assert "hₜ = " in page.locator("code").first.inner_text()
    page.get_by_role("link", name="mine", exact=True).first.wait_for()  # the search it belongs to
    page.get_by_text("my-text.txt").first.wait_for()  # the data it was trained on

    page.get_by_role("tab", name="System metrics").click()
    for name in SYSTEM:
        page.get_by_text(name, exact=True).first.wait_for()
    page.wait_for_function(DRAWN, arg=len(SYSTEM))

    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("cell", exact=True).first.click()
    page.get_by_text("diagram.svg", exact=True).click()
    image = page.get_by_role("img", name="cell/diagram.svg").first
    image.wait_for()
    page.wait_for_function(LOADED, arg=image.element_handle())


def test_the_tables_of_trials_and_of_the_comparison_are_tables(page: Page, runs: list[Run]) -> None:
    search = next(run for run in runs if run.data.tags["role"] == "search")
    page.goto(page.url.split("/runs")[0] + f"/runs/{search.info.run_id}")
    page.get_by_role("tab", name="Artifacts").click()
    for folder, heading in (("trials", "gap to the LSTM"), ("comparison", "95 % interval")):
        page.get_by_text(folder, exact=True).first.click()
        page.get_by_text("table.json", exact=True).last.click()
        page.get_by_role("columnheader", name=heading).wait_for()
        page.get_by_text(folder, exact=True).first.click()


def test_the_winner_is_a_model_of_the_search_on_its_data(page: Page, searched: tuple[Path, Result]) -> None:
    _, result = searched
    page.get_by_role("link", name="Models", exact=True).first.click()
    page.get_by_role("link", name="mine", exact=True).first.wait_for()
    page.get_by_text("Ready", exact=True).first.wait_for()
    page.goto(page.url.split("#")[0] + "#/models/mine/versions/1")
    page.get_by_text("champion").first.wait_for()
    assert result.comparison is not None
    page.get_by_text(result.comparison.contenders[0].standing.name).first.wait_for()
