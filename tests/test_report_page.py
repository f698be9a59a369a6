"""The report in a real browser: headless Chromium, driven by keys and the mouse as a person drives it."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter

import polars as pl
import pytest
from report_kit import make_run, read_block, record, report, unit, write_lines

from judge.aggregate import summarise
from judge.preference import Preference, build_preferences
from judge.testing import Server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
AXES = ("perception", "knowledge", "rationale")

if CHROMIUM is None:
    pytest.skip("no Chromium here: apt-get install chromium", allow_module_level=True)

from playwright.sync_api import expect, sync_playwright  # noqa: E402 - where there is no browser, it is not needed


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def visit(browser):
    """Opens a report; what the browser complains of, and whatever it would fetch, fails the test."""
    contexts, complaints = [], []

    def open_page(path, fragment="", **options):
        context = browser.new_context(**{"viewport": DESKTOP, **options})
        context.set_default_timeout(5000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request", lambda asked: complaints.append(asked.url) if asked.url[:5] not in ("file:", "data:") else None
        )
        page.goto(f"{path.as_uri()}{fragment}")
        expect(page.locator("#count")).not_to_be_empty()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def names(page):
    return page.locator("#list .name").all_text_contents()


def count(page, text):
    expect(page.locator("#count")).to_have_text(text)


SIGNS = ("The left lung is dark.", "The heart is enlarged.", "Nothing of note.")
ROWS = [
    record(f"r{number}", model, trace=f"{SIGNS[(number + place) % 3]} <answer>{'AB'[place]}</answer>")
    for number in range(1, 4)
    for place, model in enumerate(("cedar", "willow"))
]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Three questions, two models, a record without units and a line that is none; labels of one person."""
    folder = tmp_path_factory.mktemp("small")
    run = make_run(folder / "run", [*ROWS, record("bare", "cedar", units={}), '{"id": "torn'])
    pair = Preference(
        record_id="r1",
        model_a="cedar",
        model_b="willow",
        axis="overall",
        judge="j",
        order_ab="A",
        order_ba="B",
        outcome="inconsistent",
        reason="It is shorter.",
    )
    build_preferences([pair]).write_parquet(run / "preferences.parquet")
    said = {"axis": "perception", "unit_id": "P1", "rater": "ann", "presence": 2, "correctness": 1}
    labels = write_lines(
        folder / "labels.jsonl", [{"record_id": "r1", "model": model, **said} for model in ("cedar", "willow")]
    )
    report(folder / "out.html", run, labels=labels)
    return folder / "out.html", run


def test_every_mean_on_the_page_is_that_of_the_table(small, visit):
    path, run = small
    page = visit(path)
    expected = {
        (row["model"], row["measure"]): row
        for row in summarise(pl.scan_parquet(run / "scores.parquet"), AXES).to_dicts()
    }
    shown = page.locator("#means [data-measure]")
    assert shown.count() > 20
    for told in shown.all():
        row = expected[told.get_attribute("data-model"), told.get_attribute("data-measure")]
        values = [float(one.get_attribute("value")) for one in told.locator("data").all()]
        assert values == [row[name] for name in ("mean", "low", "high") if row[name] is not None]
        assert told.get_attribute("data-n") == str(row["n"])
        assert ("n/a" in told.text_content()) == (row["mean"] is None)


def test_every_number_of_a_section_is_that_of_the_data(small, visit):
    page = visit(small[0])
    sections = read_block(small[0])["sections"]
    assert [one["name"] for one in sections] == ["preferences", "agreement"]
    for one in sections:
        shown = page.locator(f"#{one['name']}")
        expect(page.locator(f"#parts a[href='#{one['name']}']")).to_have_text(one["short"])
        expect(shown.locator("p")).to_have_text([*one["about"], *one["found"]])
        expected = [
            number for table in one["tables"] for row in table["rows"] for cell in row for number in numbers(cell)
        ]
        assert [float(told.get_attribute("value")) for told in shown.locator("data").all()] == expected
    page.locator("#parts a").last.click()
    assert page.evaluate("location.hash") == "#agreement"
    count(page, "8 records")


def numbers(cell):
    """What of a cell is a number, in the order of the page; of an interval that is none, its value."""
    if isinstance(cell, dict):
        named = ("value", "low", "high") if cell["low"] is not None else ("value",)
        return [cell[name] for name in named if cell[name] is not None]
    return [cell] if isinstance(cell, int | float) else []


def test_calibrated_means_stand_beside_the_judges(tmp_path, visit):
    run = make_run(tmp_path / "run", [record(f"r{n}") for n in range(3)])
    scores = pl.read_parquet(run / "scores.parquet")
    told = scores.select(
        "line", "record_id", "record_key", "model", "judge", perception_calibrated=pl.Series([0.25, 0.5, None])
    )
    told.with_columns(trace_calibrated=pl.lit(None, pl.Float64)).write_parquet(run / "calibrated.parquet")
    report(tmp_path / "out.html", run)
    page = visit(tmp_path / "out.html")
    shown = page.locator("#means [data-measure=perception_calibrated]")
    assert float(shown.locator("data").first.get_attribute("value")) == 0.375  # of the two that have one
    expect(shown).to_contain_text("n = 2")
    expect(page.locator("#means [data-measure=trace_calibrated]")).to_contain_text("n/an = 0")
    head = page.locator("#means thead").first.locator("th").all_text_contents()
    assert head == ["model", "axis", "grounding", "correctness", "score", "calibrated", "n", "failed"]


def test_what_people_prefer_stands_beside_a_preference(tmp_path, visit):
    pair = Preference(record_id="r1", model_a="cedar", model_b="willow", axis="overall", judge="j", outcome="A")
    (tmp_path / "pairs").mkdir()
    build_preferences([pair]).write_parquet(tmp_path / "pairs/preferences.parquet")
    said = {"record_id": "r1", "axis": "overall", "rater": "ann", "model_a": "willow", "model_b": "cedar"}
    labels = write_lines(tmp_path / "labels.jsonl", [{**said, "verdict": "A"}])
    report(tmp_path / "out.html", tmp_path / "pairs", labels=labels)
    page = visit(tmp_path / "out.html")
    page.locator("#differs").check()
    count(page, "2 records")
    press(page, "j")
    expect(page.locator("#detail")).to_contain_text("ann: willow")


def test_every_score_of_a_record_is_that_of_the_table(small, visit):
    path, run = small
    page, scores = visit(path), pl.read_parquet(run / "scores.parquet")
    for number, row in enumerate(scores.iter_rows(named=True)):
        page.locator("#list a").nth(number).click()
        for axis in (*AXES, "trace"):
            told = page.locator(f"#detail [data-axis={axis}] > data")
            value = row[f"{axis}_score"]
            if told.count():
                assert float(told.get_attribute("value")) == value
            else:
                assert value is None


def test_what_has_no_score_is_no_zero(tmp_path, visit):
    report(tmp_path / "out.html", make_run(tmp_path / "run", [record("r1", units={})]))
    page = visit(tmp_path / "out.html")
    expect(page.locator("#list .number")).to_have_text("n/a")
    expect(page.locator("#means [data-measure=trace_score]")).to_have_text("n/a")
    press(page, "j")
    expect(page.locator("#detail")).to_contain_text("Failed (no_units")


def test_filters_say_how_many_they_leave(small, visit):
    page = visit(small[0])
    count(page, "8 records")
    page.locator("#failed").check()
    count(page, "2 of 8 records")
    assert names(page) == ["bare", "line 8"]
    page.locator("#reset").click()
    page.locator("#model").select_option("willow")
    count(page, "3 of 8 records")
    page.locator("#reset").click()
    page.locator("#differs").check()
    count(page, "2 of 8 records")  # r1: of cedar the heart, of willow nothing; ann says that P1 is raised
    page.locator("#reset").click()
    page.locator("#from").fill("0.1")
    scored = [float(told) for told in page.locator("#list .number").all_text_contents()]
    assert scored and min(scored) >= 0.1
    page.locator("#sort").select_option("low")
    again = [float(told) for told in page.locator("#list .number").all_text_contents()]
    assert again == sorted(scored)


def test_search_looks_through_texts_claims_and_names(small, visit):
    page = visit(small[0])
    for words, found in (
        ("NOTHING of note", 2),
        ("air beside the lung", 6),
        ("torn", 1),
        ("r2", 2),
        ("it is shorter", 2),
        ("no such words", 0),
    ):
        page.locator("#search").fill(words)
        count(page, f"{found} of 8 records")


def test_keys_alone_are_enough(small, visit):
    page = visit(small[0])
    press(page, "j", "j")
    expect(page.locator("#place")).to_have_text("r1 · willow")
    assert page.evaluate("document.activeElement.id") == "detail"
    press(page, "k")
    expect(page.locator("#place")).to_have_text("r1 · cedar")
    press(page, "s")
    expect(page.locator("#detail h4")).to_have_text(["cedar", "willow"])
    press(page, "s", "/", "j")
    assert page.locator("#search").input_value() == "j"
    press(page, "Escape", "?")
    expect(page.locator("#keys")).to_be_visible()
    press(page, "Escape")
    expect(page.locator("#keys")).to_be_hidden()


def test_an_address_shows_others_the_same(small, visit):
    page = visit(small[0])
    page.locator("#model").select_option("willow")
    press(page, "Escape", "j", "j", "s")
    fragment = page.evaluate("location.hash")
    other = visit(small[0], fragment)
    expect(other.locator("#detail h4")).to_have_text(["cedar", "willow"])
    count(other, "3 of 8 records")
    assert other.locator("#place").text_content() == page.locator("#place").text_content() == "r2"


def test_evidence_is_marked_where_it_stands_and_not_by_colour_alone(small, visit):
    page = visit(small[0])
    page.locator("#search").fill("the left lung is dark.")
    page.locator("#list a").first.click()
    marks = page.locator(".trace mark")
    quotes = page.locator(".verdicts .quote").all_text_contents()
    assert marks.count() >= 1 and f"“{marks.first.text_content()}”" in quotes
    assert "underline" in marks.first.evaluate("(node) => getComputedStyle(node).textDecorationLine")
    assert page.locator(".trace .tag").first.text_content() in ("P1", "P2", "K1")


def test_offsets_are_code_points(tmp_path, visit):
    report(
        tmp_path / "out.html",
        make_run(
            tmp_path / "run",
            [
                record(
                    "r1",
                    trace="🫀𝔠 So. The left lung is dark. End.",
                    units={"perception": [unit("P1", "The left lung is dark.")]},
                )
            ],
        ),
    )
    page = visit(tmp_path / "out.html")
    press(page, "j")
    assert page.locator(".trace mark").all_text_contents() == ["The left lung is dark."]


def test_people_and_preferences_stand_beside_the_judge(small, visit):
    page = visit(small[0])
    press(page, "j")
    expect(page.locator(".verdicts td[data-column=people]").first).to_have_text("ann: raised, right")
    expect(page.locator("#detail")).to_contain_text("inconsistent: another answer in the other order")
    expect(page.locator("#detail")).to_contain_text("It is shorter.")


def test_a_long_list_is_shown_in_pages(tmp_path, visit):
    report(tmp_path / "out.html", make_run(tmp_path / "run", [record(f"r{n}") for n in range(120)]))
    page = visit(tmp_path / "out.html")
    assert len(names(page)) == 50
    page.locator("#more").click()
    assert len(names(page)) == 100
    assert page.evaluate("document.activeElement.textContent").startswith("r50")


def test_no_characters_turn_a_line_around(tmp_path, visit):
    report(
        tmp_path / "out.html", make_run(tmp_path / "run", [record("r1", "m\u202exe", trace="a\u202eb\x1b[31m\u200bc")])
    )
    page = visit(tmp_path / "out.html")
    press(page, "j")
    assert page.locator(".trace").text_content() == "a⟨U+202E⟩b⟨U+001B⟩[31m⟨U+200B⟩c"
    assert "\u202e" not in page.locator("body").inner_text()


def lightness(page, name):
    """WCAG's relative luminance of one of the page's colours."""
    told = page.evaluate(
        """(name) => {
          const probe = document.querySelector('body > i');
          probe.style.color = `var(--${name})`;
          return getComputedStyle(probe).color;
        }""",
        name,
    )
    parts = [int(part) / 255 for part in re.findall(r"\d+", told)[:3]]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(part * share for part, share in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_can_be_read_on_their_ground(small, visit, scheme):
    """WCAG: 4.5 to 1 for texts; the page's own colours, and those of the axes that tags are written in."""
    page = visit(small[0], color_scheme=scheme)
    page.evaluate("document.body.append(document.createElement('i'))")
    ground = lightness(page, "sheet")
    names = ["ink", "soft", "accent", "wrong", "doubt", *(f"axis-{number}" for number in range(8))]
    ratios = {
        name: (max(one, ground) + 0.05) / (min(one, ground) + 0.05) for name in names if (one := lightness(page, name))
    }
    assert [name for name, ratio in ratios.items() if ratio < 4.5] == []


def test_a_phone_needs_no_sideways_scrolling(small, visit):
    page = visit(small[0], viewport=PHONE, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.locator("#list a").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    expect(page.locator("#list")).to_be_hidden()
    page.locator("#back").click()
    expect(page.locator("#list")).to_be_visible()


def test_on_paper_there_are_numbers_and_no_controls(small, visit):
    page = visit(small[0])
    press(page, "j")
    page.emulate_media(media="print")
    expect(page.locator("#filters")).to_be_hidden()
    expect(page.locator("#choice")).to_be_hidden()
    for shown in ("#means", "#figures svg >> nth=0", ".trace", ".verdicts"):
        expect(page.locator(shown)).to_be_visible()


def test_everything_has_a_name_that_can_be_read_out(small, visit):
    page = visit(small[0])
    press(page, "j")
    parts = page.locator("input, select, button, a, svg, img, [role=region]")
    named = "node.labels?.length || node.textContent.trim() || node.ariaLabel || node.alt"
    unnamed = parts.evaluate_all(f"(nodes) => nodes.filter((node) => !({named})).map((node) => node.outerHTML)")
    assert unnamed == []
    for role in ("banner", "main", "search", "status"):
        assert page.get_by_role(role).count() == 1
    ids = page.locator("[id]").evaluate_all("(nodes) => nodes.map((node) => node.id)")
    assert len(ids) == len(set(ids))


EVENTS = (
    "onerror",
    "onload",
    "onfocus",
    "onclick",
    "ontoggle",
    "onbegin",
    "onstart",
    "onpointerover",
    "onanimationend",
    "onscroll",
)
RUNS = "window.hit=1"
VECTORS = [
    f"<script>{RUNS}</script>",
    f"</script><script>{RUNS}</script>",
    f"</SCRIPT ><ScRiPt>{RUNS}</sCrIpT>",
    f"<!--<script>{RUNS}</script>-->",
    f"--><script>{RUNS}</script>",
    f"<!--<script><!--</script><img src=x onerror={RUNS}>",
    f"]]><script>{RUNS}</script>",
    f"</title><script>{RUNS}</script>",
    f"</style><script>{RUNS}</script>",
    f"</textarea><script>{RUNS}</script>",
    f"</noscript><script>{RUNS}</script>",
    f"</svg><script>{RUNS}</script>",
    f"</option></select><img src=x onerror={RUNS}>",
    f"</a></li></ol><img src=x onerror={RUNS}>",
    f"\\u003cscript\\u003e{RUNS}\\u003c/script\\u003e",
    f"&lt;script&gt;{RUNS}&lt;/script&gt;",
    f"&#60;script&#62;{RUNS}&#60;/script&#62;",
    f"\u2028<script>{RUNS}</script>\u2029",
    f"<scr\x00ipt>{RUNS}</scr\x00ipt>",
    f"\ufeff<script>{RUNS}</script>",
    f'"><script>{RUNS}</script>',
    f"'><script>{RUNS}</script>",
    f'"}};{RUNS};//',
    f"';{RUNS};//",
    f'\\"}}];{RUNS};//',
    f"${{{RUNS}}}",
    "{{constructor.constructor('window.hit=1')()}}",
    "{{script}}{{blocks}}",
    f"javascript:{RUNS}",
    f"<a href=javascript:{RUNS}>x</a>",
    f"<iframe srcdoc='<script>parent.{RUNS}</script>'></iframe>",
    f"<iframe src=javascript:parent.{RUNS}></iframe>",
    "<base href=http://192.0.2.1/>",
    "<link rel=stylesheet href=http://192.0.2.1/x.css>",
    "<meta http-equiv=refresh content='0;url=http://192.0.2.1/'>",
    "<style>*{display:none}</style>",
    "<style>@import 'http://192.0.2.1/x.css';</style>",
    "<form action=http://192.0.2.1/><input name=q><button>x</button></form>",
    "<object data=http://192.0.2.1/x></object>",
    "<embed src=http://192.0.2.1/x>",
    f"<math><mtext></mtext><script>{RUNS}</script></math>",
    f"<svg><script>{RUNS}</script></svg>",
    f"<svg><animate onbegin={RUNS} attributeName=x dur=1s>",
    f"<svg><foreignObject><img src=x onerror={RUNS}></foreignObject></svg>",
    f"<template><script>{RUNS}</script></template>",
    f"<details open ontoggle={RUNS}>x</details>",
    f"<dialog open><button formaction=javascript:{RUNS}>x</button></dialog>",
    "<b id=data>{}</b>",
    "<form name=body></form><img name=getElementById>",
    "url(javascript:window.hit=1)",
    *(f"<img src=x {event}={RUNS}>" for event in EVENTS),
]
VECTORS = [*dict.fromkeys(VECTORS)]


def of_texts(text: str, number: int) -> dict[str, object]:
    """A record with this text in every field that a report shows; two models, so that its name is one of two."""
    return {
        "id": f"{number} {text}",
        "model": f"{text} model",
        "question": text,
        "options": {text: text, "B": text},
        "context": text,
        "image": f"{text}.png",
        "reference": {"answer": text},
        "units": {"perception": [{"unit_id": f"P {text}", "claim": f"It is {text}", "importance": "core"}]},
        "trace": f"I say: {text}. It is {text}. <answer>{text}</answer>",
    }


def attacked(folder, texts):
    """A report of records with these texts, by a judge that says them too; the other line cannot be read."""

    def say(ask):
        said = next(text for text in texts if f"It is {text}" in ask.trace)
        return {
            unit.name: {"evidence": f"It is {said}", "reason": said, "presence": 2, "correctness": 1}
            for unit in ask.units
        }

    rows = [*(of_texts(text, number) for number, text in enumerate(texts)), f'{{"id": "{texts[0]}']
    rows = [json.dumps(row) if isinstance(row, dict) else row for row in rows]
    with Server(script=say) as server:
        run = make_run(folder / "run", rows, server.api_base, evidence="flag", image_max_side=64)
    label = {"axis": "perception", "presence": 2, "correctness": 1}
    labels = write_lines(
        folder / "labels.jsonl",
        [
            {"record_id": f"{n} {text}", "unit_id": f"P {text}", "rater": f"{text} rater", **label}
            for n, text in enumerate(texts)
        ],
    )
    pairs = [
        Preference(
            record_id=f"{n} {text}",
            model_a=f"{text} model",
            model_b=text,
            axis=text,
            judge=text,
            outcome="A",
            reason=text,
            evidence_ab=text,
            failure=text,
        )
        for n, text in enumerate(texts[:1])
    ]
    build_preferences(pairs).write_parquet(run / "preferences.parquet")
    report(folder / "out.html", run, labels=labels)
    return folder / "out.html"


def nodes(page, within):
    """Elements by name, but for those that show a character that cannot be seen, and those of drawings."""
    inside = page.locator(f"{within} :not(.hidden-character, svg *)")
    return Counter(inside.evaluate_all("(nodes) => nodes.map((node) => node.nodeName)"))


def walk(page, records):
    """Look at every record and every table; the elements that there are each time, and in the end elsewhere."""
    for summary in page.locator("summary").all():
        summary.click()
    found = []
    for _ in range(records):
        press(page, "j")
        found.append(nodes(page, "#detail"))
    elsewhere = [
        nodes(page, part)
        for part in ("head", "header", "#runs", "#cautions", "#means", "#sections", "#filters", "#choice")
    ]
    # How many steps of time have a call is chance; no text makes an element of another name.
    return [*found, *elsewhere, Counter(set(nodes(page, "#figures")))]


def test_no_text_becomes_an_element_or_runs(tmp_path_factory, visit):
    """The same records with harmless texts make the same elements."""
    assert len(VECTORS) >= 60
    plain = [f"word{number:02}" for number in range(len(VECTORS))]
    pages = [
        visit(attacked(tmp_path_factory.mktemp(name), texts)) for name, texts in (("plain", plain), ("attack", VECTORS))
    ]
    expected, found = (walk(page, len(VECTORS) + 1) for page in pages)
    assert len(found) > len(VECTORS) + 2 and all(found)
    assert [(found[at] - expected[at], expected[at] - found[at]) for at in range(len(found))] == [({}, {})] * len(found)
    assert pages[1].evaluate("window.hit") is None
    assert (
        pages[1].evaluate("document.querySelectorAll('[style], [onerror], [onload], iframe, object, embed').length")
        == 0
    )
