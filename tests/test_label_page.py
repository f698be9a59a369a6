"""The page in a real browser: headless Chromium, driven by keys and the mouse as a person drives it."""

import shutil

import pytest
from image_kit import corners, encode
from label_kit import TRACE, record, serving, unit

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
HOSTILE = "<img src=x onerror='window.hit=1'><script>window.hit=1</script><b id=planted>"

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
    """Opens an address; what the browser complains of fails the test."""
    contexts, complaints = [], []

    def open_page(url, **options):
        context = browser.new_context(**{"viewport": DESKTOP, **options})
        context.set_default_timeout(5000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        await_unit(page)
        return page

    open_page.complaints = complaints
    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def shows(page, where, text):
    """Waits until it does; the page's policy lets nobody evaluate JavaScript to find out."""
    expect(page.locator(where)).to_contain_text(text)


def await_unit(page):
    expect(page.locator("#claim")).not_to_be_empty()


def told(page):
    return page.locator("#status").text_content()


def wait_for(page, text):
    shows(page, "#status", text)


def place(page):
    return page.locator("#place").text_content(), page.locator("#axis").text_content()


def select(page, start, end):
    """Select in the trace by UTF-16 units, as a mouse does."""
    page.evaluate(
        """([start, end]) => {
          const nodes = [], walker = document.createTreeWalker(document.querySelector('#trace'), NodeFilter.SHOW_TEXT);
          while (walker.nextNode()) nodes.push(walker.currentNode);
          const find = (at) => {
            for (const node of nodes) { if (at <= node.length) return [node, at]; at -= node.length; }
          };
          const range = document.createRange();
          range.setStart(...find(start)); range.setEnd(...find(end));
          document.getSelection().removeAllRanges(); document.getSelection().addRange(range);
        }""",
        [start, end],
    )


def values(served):
    return [(row["record_id"], row["unit_id"], row["presence"], row["correctness"]) for row in served.rows()]


def test_three_units_are_labelled_by_keys_alone(tmp_path, visit):
    with serving(tmp_path, record("r1"), record("r2")) as served:
        page = visit(served.url)
        assert place(page) == ("Record 1 of 2, unit 1 of 3", "perception · P1")
        press(page, "2")
        assert told(page) == "Now: is what it says right?"
        press(page, "r")
        wait_for(page, "Saved.")
        press(page, "n", "1", "-", "j", "0", "n")
        shows(page, "#place", "Record 2")
        assert values(served) == [("r1", "P1", 2, 1), ("r1", "P2", 1, -1), ("r1", "R1", 0, None)]
        assert page.locator("#count").text_content() == "3 of 6"
        assert page.get_by_role("progressbar", name="Units labelled").get_attribute("value") == "3"


def test_it_goes_on_at_the_first_open_unit_after_a_reload_and_a_restart(tmp_path, visit):
    rows = [record("r1"), record("r2")]
    with serving(tmp_path, *rows) as served:
        page = visit(served.url)
        press(page, "2", "r", "n", "0", "n", "0", "n")
        shows(page, "#place", "Record 2")
        press(page, "0")
        wait_for(page, "Saved.")
        page.reload()
        await_unit(page)
        assert place(page) == ("Record 2 of 2, unit 2 of 3", "perception · P2")
    with serving(tmp_path, *rows) as served:
        page = visit(served.url)
        assert place(page) == ("Record 2 of 2, unit 2 of 3", "perception · P2")
        press(page, "k", "k", "k", "k")  # back over the record's edge, to the first
        shows(page, "#place", "Record 1 of 2, unit 1")
        assert page.get_by_role("radio", name="clearly raised").is_checked()
        assert page.get_by_role("radio", name="right").is_checked()
        press(page, "w")  # an earlier label is changed
        wait_for(page, "Saved.")
        assert values(served)[0] == ("r1", "P1", 2, -1)
        assert len(served.rows()) == 4


def test_evidence_over_an_emoji_is_in_code_points(tmp_path, visit):
    with serving(tmp_path, record("r1")) as served:
        page = visit(served.url)
        select(page, 0, 6)  # "🫁 The": six units of UTF-16, five code points
        press(page, "e", "2", "r")
        wait_for(page, "Saved.")
        (row,) = served.rows()
        assert (row["evidence"], row["evidence_start"], row["evidence_end"]) == ("🫁 The", 0, 5)
        assert page.locator("#trace mark").text_content() == "🫁 The"
        press(page, "n")
        assert page.locator("#trace mark").count() == 0
        # White space around it is left out; 𝔠 is two units too: "右肺 is 𝔠lear" is 29 to 41 there, 28 to 39 here.
        select(page, 28, 41)
        press(page, "1", "u", "e")
        shows(page, "#quote", "右肺 is 𝔠lear")
        wait_for(page, "Saved.")
        row = served.rows()[1]
        assert (row["evidence_start"], row["evidence_end"]) == (28, 39)
        assert TRACE[28:39] == row["evidence"] == "右肺 is 𝔠lear"
        page.reload()
        await_unit(page)
        press(page, "p")
        assert page.locator("#trace mark").text_content() == "右肺 is 𝔠lear"
        assert page.locator("#trace").evaluate("node => node.textContent") == TRACE
        press(page, "x")
        wait_for(page, "Saved.")
        assert page.locator("#trace mark").count() == 0
        assert served.rows()[1]["evidence"] is None


def test_half_of_a_pair_cannot_be_marked(tmp_path, visit):
    with serving(tmp_path, record("r1")) as served:
        page = visit(served.url)
        select(page, 1, 6)  # from the middle of the lungs
        press(page, "2", "r", "e")
        shows(page, "#quote", "🫁 The")
        wait_for(page, "Saved.")
        assert (served.rows()[0]["evidence_start"], served.rows()[0]["evidence_end"]) == (0, 5)


def test_evidence_by_the_keyboard_alone(tmp_path, visit):
    with serving(tmp_path, record("r1")) as served:
        page = visit(served.url)
        press(page, "t", "ArrowRight", "ArrowRight")  # over the emoji and the space
        press(page, *["Shift+ArrowRight"] * len("The right"))
        press(page, "e", "2", "r")
        wait_for(page, "Saved.")
        assert served.rows()[0]["evidence"] == "The right"
        assert served.rows()[0]["evidence_start"] == 2


def test_evidence_by_the_mouse(tmp_path, visit):
    with serving(tmp_path, record("r1", trace="opaque " * 3)) as served:
        page = visit(served.url)
        page.get_by_role("radio", name="clearly raised").check()
        page.get_by_role("radio", name="right").check()
        page.locator("#trace").dblclick(position={"x": 10, "y": 10})  # a word
        page.get_by_role("button", name="Mark selection").click()
        shows(page, "#quote", "opaque")
        wait_for(page, "Saved.")
        assert (served.rows()[0]["evidence_start"], served.rows()[0]["evidence_end"]) == (0, 6)


def test_a_selection_beyond_the_trace_is_cut_at_its_edges(tmp_path, visit):
    with serving(tmp_path, record("r1", trace="  all of it\n")) as served:
        page = visit(served.url)
        page.evaluate("document.getSelection().selectAllChildren(document.body)")
        press(page, "2", "r", "e")
        shows(page, "#quote", "all of it")
        wait_for(page, "Saved.")
        assert (served.rows()[0]["evidence_start"], served.rows()[0]["evidence_end"]) == (2, 11)


def test_the_trace_cannot_be_changed(tmp_path, visit):
    with serving(tmp_path, record("r1")) as served:
        page = visit(served.url)
        page.evaluate(
            """() => {
              window.changes = 0;
              const how = {subtree: true, childList: true, characterData: true};
              new MutationObserver(() => { window.changes += 1; }).observe(document.querySelector('#trace'), how);
            }"""
        )
        press(page, "t", "q", "Delete", "Backspace", "Enter", "Control+v", "Control+x", "Space", "!")
        page.keyboard.insert_text("typed")
        assert page.evaluate("window.changes") == 0


def test_the_trace_comes_back_after_an_input_method(tmp_path, visit):
    with serving(tmp_path, record("r1")) as served:
        page = visit(served.url)
        press(page, "t", "ArrowRight")
        composing = page.context.new_cdp_session(page)  # no page can refuse what is being composed
        composing.send("Input.imeSetComposition", {"text": "か", "selectionStart": 1, "selectionEnd": 1})
        composing.send("Input.insertText", {"text": "か"})
        assert page.locator("#trace").evaluate("node => node.textContent") == TRACE


def test_a_key_that_is_pressed_while_a_record_loads_is_meant_for_it(tmp_path, visit):
    with serving(tmp_path, record("r1"), record("r2")) as served:
        page = visit(served.url)
        held = []
        page.route("**/records/1", lambda route: held.append(route))  # noqa: PLW0108 - Playwright wants a function of Python
        press(page, "n", "n", "n", "0")
        while not held:
            page.wait_for_timeout(10)
        assert served.rows() == []
        held[0].continue_()
        wait_for(page, "Saved.")
        assert values(served) == [("r2", "P1", 0, None)]


def test_nothing_is_marked_without_a_selection_or_without_presence(tmp_path, visit):
    with serving(tmp_path, record("r1")) as served:
        page = visit(served.url)
        press(page, "r")
        assert told(page) == "First say that the trace raises it: 1 or 2."
        press(page, "e")
        assert told(page).startswith("First select a passage of the trace")
        select(page, 3, 6)
        press(page, "0")
        wait_for(page, "Saved.")
        press(page, "e")
        assert told(page) == "What is not raised has no evidence."
        assert values(served) == [("r1", "P1", 0, None)]
        assert page.get_by_role("radio", name="unclear").is_disabled()


def test_undo_takes_back_step_by_step(tmp_path, visit):
    with serving(tmp_path, record("r1"), record("r2")) as served:
        page = visit(served.url)
        press(page, "2", "r", "w", "o")
        shows(page, "#axis", "perception · P2")
        press(page, "z")
        shows(page, "#axis", "perception · P1")
        wait_for(page, "Saved.")
        assert values(served) == [("r1", "P1", 2, 1)]
        press(page, "Control+z")
        wait_for(page, "Now: is what it says right?")
        shows(page, "#count", "0 of 6")
        assert served.rows() == []
        assert page.get_by_role("radio", name="clearly raised").is_checked()
        press(page, "z")
        expect(page.get_by_role("radio", name="clearly raised")).not_to_be_checked()
        press(page, "z")
        assert told(page) == "Nothing to undo in this visit."


def test_next_open_finds_what_is_left_and_says_when_nothing_is(tmp_path, visit):
    with serving(tmp_path, record("r1"), record("r2")) as served:
        page = visit(served.url)
        press(page, "n", "0", "n", "0", "o")  # record 1 has its first unit left
        shows(page, "#place", "Record 2 of 2, unit 1")
        press(page, "0", "n", "0", "n", "0", "o")
        shows(page, "#place", "Record 1 of 2, unit 1")
        press(page, "0")
        wait_for(page, "Saved. All units have a label: Ctrl-C in the terminal ends.")
        press(page, "o")
        wait_for(page, "All units have a label.")
        assert len(served.rows()) == 6


def test_texts_of_a_record_make_no_node(tmp_path, visit):
    hostile = unit(
        HOSTILE, HOSTILE, topic=HOSTILE, presence_question=HOSTILE, correctness_question=HOSTILE, source_quote=HOSTILE
    )
    full = {
        "question": HOSTILE,
        "options": {HOSTILE: HOSTILE},
        "context": HOSTILE,
        "reference": {"answer": HOSTILE, "reasoning": HOSTILE},
        "trace": HOSTILE,
        "units": {"perception": [hostile]},
    }
    bad = '{"id": "' + HOSTILE + '", "trace": 1}'
    with serving(tmp_path, record(HOSTILE, **full), bad, rater=HOSTILE) as served:
        page = visit(served.url)
        select(page, 0, 20)
        press(page, "2", "r", "e")
        wait_for(page, "Saved.")
        assert page.evaluate("window.hit") is None
        assert page.locator("body img, body script, body b, #planted").count() == 0
        for id_ in ("question", "context", "reasoning", "claim", "presence-question", "correctness-question"):
            assert page.locator(f"#{id_}").text_content() == HOSTILE
        assert page.locator("#trace").text_content() == HOSTILE
        assert page.locator("#skipped li").count() == 1
        assert HOSTILE in page.locator("#who").text_content()


def test_html_from_a_script_is_refused_by_the_page(tmp_path, visit):
    with serving(tmp_path, record("r1")) as served:
        page = visit(served.url)
        refused = page.evaluate(
            "() => { try { document.body.innerHTML = '<b id=planted></b>'; } catch (error) { return error.name; } }"
        )
        assert refused == "TypeError"
        assert page.locator("#planted").count() == 0
        page.evaluate("document.body.append(Object.assign(document.createElement('img'), {src: '/x.png'}))")
        page.wait_for_timeout(50)
        assert len(visit.complaints) >= 2  # the policy's own words
        visit.complaints.clear()


def test_what_could_not_be_saved_is_said_and_can_be_sent_again(tmp_path, visit):
    with serving(tmp_path, record("r1")) as served:
        page = visit(served.url)
        press(page, "0")
        wait_for(page, "Saved.")
        content = served.out.read_bytes()
        served.out.write_bytes(content + b"\n")
        press(page, "n", "0")
        wait_for(page, "Not saved: ")
        assert "was changed by another program" in told(page)
        assert page.locator("#status.wrong").count() == 1
        assert page.locator("#count").text_content() == "1 of 3"
        visit.complaints.clear()  # that the server said 409
        page.route("**/labels/*", lambda route: route.abort())
        press(page, "0")
        wait_for(page, "Not saved: judge label does not answer.")
        page.unroute("**/labels/*")
        visit.complaints.clear()


def test_images_and_reference_are_there(tmp_path, visit):
    (tmp_path / "a.png").write_bytes(encode(corners()))
    with serving(tmp_path, record("r1", image=["a.png", "a.png"], reference={"answer": "A"})) as served:
        page = visit(served.url)
        picture = page.get_by_alt_text("Image 2 of 2")
        assert picture.evaluate("image => image.naturalWidth") == 48
        assert page.locator("#reference").is_visible()
        assert not page.locator("#answer").is_visible()  # folded: a rater reads the trace first
        assert not page.locator("#context").is_visible()


def test_keys_can_be_turned_off(tmp_path, visit):
    with serving(tmp_path, record("r1")) as served:
        page = visit(served.url)
        press(page, "?")
        page.get_by_label("Single keys are on").uncheck()
        press(page, "0", "n")
        assert place(page)[1] == "perception · P1"
        assert served.rows() == []
        page.get_by_role("radio", name="not raised").check()
        wait_for(page, "Saved.")
        page.get_by_role("button", name="Next unit").click()
        assert place(page)[1] == "perception · P2"


def test_everything_has_a_name_for_a_screen_reader(tmp_path, visit):
    with serving(tmp_path, record("r1")) as served:
        page = visit(served.url)
        for role, name in [
            ("textbox", "Trace"),
            ("form", "Label of this unit"),
            ("group", "Does the trace raise it?"),
            ("group", "Is what it says right?"),
            ("radio", "partly or implied"),
            ("list", "Units of this record"),
            ("button", "P1, open"),
            ("button", "Previous unit"),
            ("button", "Undo"),
        ]:
            assert page.get_by_role(role, name=name).count() == 1, (role, name)
        unnamed = "node => !(node.textContent.trim() || node.getAttribute('aria-label'))"
        assert page.locator("button").evaluate_all(f"nodes => nodes.filter({unnamed}).length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(tmp_path, visit, scheme):
    long = record("r1", trace=f"{'A long trace. ' * 200}{'x' * 500}", question="q" * 300)
    with serving(tmp_path, long) as served:
        page = visit(served.url, viewport=PHONE, color_scheme=scheme, has_touch=True, is_mobile=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(246, 247, 248)") == (scheme == "light")
        choice = page.locator(".choices label").first
        assert choice.bounding_box()["height"] >= 44  # a finger's
        assert page.get_by_role("button", name="Next unit").is_visible()
        choice.tap()
        wait_for(page, "Saved.")
        assert values(served) == [("r1", "P1", 0, None)]


AXES = """
  seen: {kind: checklist, description: What is seen., view: [image, trace.answer]}
  safe:
    kind: criteria
    description: What is safe.
    view: [question, options, trace.reasoning, trace.answer]
    criteria:
      - {id: C1, text: Says when to come back., points: 2}
      - {id: C2, text: Names a wrong dose., points: 1, polarity: negative}
  good:
    kind: scale
    description: How good is it?
    view: [context, reference]
    levels: [{level: -1, anchor: Harmful.}, {level: 0, anchor: Useless.}, {level: 1, anchor: Of use.}]
"""
THOUGHT = "<think> 🫁 It rains. </think>\n𝔠old and wet."  # "𝔠" is code point 31 of it


@pytest.fixture
def mixed(tmp_path):
    """One record on axes of three kinds, of which each has a view of its own."""
    (tmp_path / "a.png").write_bytes(encode(corners()))
    path = tmp_path / "r.yaml"
    path.write_text(f'name: r\nversion: "1"\ndescription: d\nguidelines: Be fair.\naxes:{AXES}')
    told = {"options": {"A": "left"}, "context": "Fever.", "reference": {"answer": "A", "reasoning": "Because."}}
    row = record(trace=THOUGHT, units={"seen": [unit("S1")]}, image="a.png", **told)
    with serving(tmp_path, row, rubric=str(path)) as served:
        yield served


PARTS = ("#question", "#options", "#context", "#images", "#reference")


def visible(page):
    return {part for part in PARTS if page.locator(part).is_visible()}


def test_of_each_axis_a_person_sees_what_its_judge_sees(mixed, visit):
    page = visit(mixed.url)
    assert visible(page) == {"#images"}
    assert page.locator("#trace").text_content() == "𝔠old and wet."
    assert page.locator("#about").text_content() == "What is seen."
    press(page, "n")
    shows(page, "#axis", "safe · C1")
    assert visible(page) == {"#question", "#options"}
    assert page.locator("#trace").text_content() == "🫁 It rains.\n\n𝔠old and wet."
    press(page, "n", "n")
    shows(page, "#axis", "good · level")
    assert visible(page) == {"#context", "#reference"}
    assert page.locator("#trace").text_content() == THOUGHT
    press(page, "p", "p", "p")
    shows(page, "#axis", "seen · S1")
    assert visible(page) == {"#images"}
    assert page.get_by_alt_text("Image 1 of 1").evaluate("image => image.naturalWidth") == 48
    page.get_by_text("Guidelines").click()
    assert page.get_by_text("Be fair.").is_visible()


def test_evidence_of_a_part_is_in_offsets_of_the_whole(mixed, visit):
    page = visit(mixed.url)
    select(page, 0, 5)  # "𝔠old" of the answer alone: five units of UTF-16
    press(page, "2", "r", "e")
    wait_for(page, "Saved.")
    press(page, "n", "m")
    select(page, 14, 19)  # the same word behind the reasoning, with an emoji and a blank line before it
    press(page, "e")
    shows(page, "#quote", "𝔠old")
    press(page, "n", "m")
    select(page, 3, 11)
    press(page, "e")
    shows(page, "#quote", "It rains")
    wait_for(page, "Saved.")
    places = [(row["unit_id"], row["evidence"], row["evidence_start"], row["evidence_end"]) for row in mixed.rows()]
    assert places == [("S1", "𝔠old", 29, 33), ("C1", "𝔠old", 29, 33), ("C2", "It rains", 10, 18)]
    assert [THOUGHT[start:end] for _, _, start, end in places] == ["𝔠old", "𝔠old", "It rains"]
    page.reload()
    shows(page, "#axis", "good · level")
    for quote in ("It rains", "𝔠old", "𝔠old"):
        press(page, "p")
        expect(page.locator("#trace mark")).to_have_text(quote)


def test_a_passage_over_what_is_not_shown_cannot_be_marked(mixed, visit):
    page = visit(mixed.url)
    press(page, "n", "u")
    wait_for(page, "Saved.")
    page.locator("#trace").focus()
    press(page, "Control+a", "e")
    wait_for(page, "Select within one part of the trace")
    assert mixed.rows()[0]["evidence"] is None


def test_each_kind_is_asked_and_answered_by_its_own_keys(mixed, visit):
    page = visit(mixed.url)
    press(page, "m", "c")  # keys of a criterion
    assert page.locator("fieldset:visible").count() == 2
    press(page, "2", "u", "n", "0", "w", "r", "+", "c", "n")
    shows(page, "#axis", "safe · C2")
    assert page.locator("fieldset:visible").count() == 1
    assert page.locator("#bad").is_visible()
    press(page, "u", "n")
    shows(page, "#claim", "How good is it?")
    assert page.locator("#about").text_content() == ""  # which is the claim
    assert page.locator("#levels label").all_inner_texts() == ["-1\nHarmful.\n-", "0\nUseless.\n0", "1\nOf use.\n1"]
    press(page, "m", "1", "2", "-")
    wait_for(page, "Saved. All units have a label")
    asked = ("presence", "correctness", "verdict", "value")
    assert [{name: row[name] for name in asked if name in row} for row in mixed.rows()] == [
        {"presence": 2, "correctness": 0},
        {"verdict": "CANNOT_ASSESS"},
        {"verdict": "UNMET"},
        {"value": -1},
    ]
    assert page.get_by_role("list", name="Units of this record").get_by_role("button").evaluate_all(
        "nodes => nodes.map(node => node.getAttribute('aria-label'))"
    ) == ["S1, raised, unclear", "C1, cannot assess", "C2, unmet", "good, -1"]


def test_criteria_and_scales_go_on_where_the_rater_stopped_and_are_undone(mixed, visit):
    page = visit(mixed.url)
    press(page, "0", "n", "m", "n", "n", "1", "0")
    wait_for(page, "Saved.")
    page.reload()
    shows(page, "#axis", "safe · C2")
    press(page, "n")
    shows(page, "#axis", "good · level")
    assert page.get_by_role("radio", name="Useless.").is_checked()
    page.get_by_role("radio", name="Of use.").check()
    wait_for(page, "Saved.")
    press(page, "z")
    expect(page.get_by_role("radio", name="Useless.")).to_be_checked()
    wait_for(page, "Saved.")
    assert mixed.rows()[-1]["value"] == 0
    press(page, "p", "p")
    shows(page, "#axis", "safe · C1")
    page.get_by_role("radio", name="unmet").check()
    wait_for(page, "Saved.")
    press(page, "z")
    expect(page.get_by_role("radio", name="met m")).to_be_checked()
    wait_for(page, "Saved.")
    press(page, "z")
    wait_for(page, "Nothing to undo in this visit.")
    shows(page, "#count", "3 of 4")
    assert [row["verdict"] for row in mixed.rows() if "verdict" in row] == ["MET"]


@pytest.mark.parametrize(
    ("levels", "keys"),
    [
        (range(1, 6), ["1", "2", "3", "4", "5"]),
        (range(1, 12), ["1", "2", "3", "4", "5", "6", "7", "8", "9", "0"]),
        (range(8, 12), ["8", "9", "0"]),
        ((-2, -1, 0, 10), ["-", "0"]),  # 0 comes first
    ],
)
def test_the_key_of_a_level_is_its_own_digit(tmp_path, visit, levels, keys):
    listed = "".join(f"\n      - {{level: {level}, anchor: a{level}}}" for level in levels)
    path = tmp_path / "r.yaml"
    head = 'name: r\nversion: "1"\ndescription: d\n'
    path.write_text(f"{head}axes:\n  good:\n    kind: scale\n    description: d\n    levels:{listed}\n")
    with serving(tmp_path, record(units={}), rubric=str(path)) as served:
        page = visit(served.url)
        assert page.locator("#levels kbd").all_inner_texts() == keys
        press(page, keys[-1])
        wait_for(page, "Saved.")
        page.get_by_role("radio", name=f"a{levels[-1]}").focus()  # one without a key is reached as in any form
        press(page, "Space")
        expect(page.get_by_role("radio", name=f"a{levels[-1]}")).to_be_checked()
        wait_for(page, "Saved.")
        assert [row["value"] for row in served.rows()] == [levels[-1]]


def test_a_rating_and_the_leaves_of_a_tree_show_what_their_judge_sees(tmp_path, visit):
    path = tmp_path / "r.yaml"
    path.write_text(
        """name: r
version: "1"
description: d
axes:
  all:
    kind: criteria
    scoring: rar_implicit
    description: How good is it in all?
    criteria:
      - {id: a, text: Names the dose., importance: Essential}
      - {id: b, text: Names a wrong drug., points: -3, polarity: negative}
  paper:
    kind: criteria
    scoring: tree
    description: The paper.
    criteria:
      - {id: root, text: It is done., children: [{id: data, text: Data are loaded.}]}
"""
    )
    with serving(tmp_path, record(units={}), rubric=str(path)) as served:
        page = visit(served.url)
        assert page.locator("#rated li").all_inner_texts() == [
            "(Essential, worth 1) Names the dose.",
            "(worth 3, bad) Names a wrong drug.",
        ]
        assert page.locator("#how").text_content().startswith("10 when all is as it should be")
        press(page, "0", "n")  # 10
        shows(page, "#within", "Part of: It is done.")
        assert page.locator("#rated li").count() == 0
        press(page, "c")
        wait_for(page, "Saved. All units have a label")
        assert [(row["unit_id"], row.get("value"), row.get("verdict")) for row in served.rows()] == [
            ("rating", 10, None),
            ("data", None, "CANNOT_ASSESS"),
        ]
