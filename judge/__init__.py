"""judge scores the reasoning of models: per trace and capability axis, with the quotes behind every number.

The flow, top to bottom; a file imports only files above it:

    errors.py         every error that we raise, in one tree
    resource.py       a built-in's name       -> its file
    plugin.py         a judge's name          -> the package that answers to it
    strict_json.py    bytes                   -> one JSON value
    strict_yaml.py    YAML text               -> one value, and where it is written
    digest.py         a value                 -> the hash that it goes by
    once.py           a method                -> a property that is worked out once
    working.py        items                   -> work on each  N workers over one iterator
    loop.py           coroutines              -> the one event loop of this process
    image.py          an image's bytes        -> Image         bounded, turned, hashed
    images/
      fetch.py        an https address        -> its bytes     from public hosts only
      beneath.py      a folder and a path     -> its bytes     never those of another file
      source.py       an image field          -> ImageSources  what it points at
    fault.py          what is wrong with a row -> our error    in the words of who wrote it
    identifier.py     an id as it is written  -> its text      whole numbers too
    message.py        chat messages           -> the text of a trace
    record.py         a row                   -> Record
    traces/
      row.py          what a row is, and what an input begins with
      jsonl.py        bytes                   -> their lines
      compressed.py   gzip or Zstandard       -> what is in it
      parquet.py      a table                 -> its rows
      source.py       a path                  -> its rows, numbered
      lines.py        rows                    -> the same with their places, up to a limit
      mapping.py      --map words             -> rows under our names
      options.py      a question              -> the options at its end
      shape.py        a row of a known shape  -> the fields of a record
      references.py   units in another file   -> the fields that a record lacks
      reading.py      where traces are        -> Records, one after the other
    inert.py          a text                  -> the same, without the control tokens of chat templates
    view.py           a record                -> what a judge sees of it
    misfit.py         what a rubric cannot say -> what to do about it
    criterion.py      one statement about a trace, alone or in a tree
    axis.py           what a rubric scores    -> its kind, and what units and criteria are worth
    rubric.py         a YAML file             -> Rubric
    probe.py          Record × Rubric         -> Probes        what is asked, and at what granularity
    variation.py      another way to ask the same: a repeat, another order, other words
    order.py          Probes                  -> the same in another order, and back
    template.py       a template and values   -> text
    request_key.py    what a request sends    -> the key that it goes by
    prompt.py         Probes                  -> Request       messages and schema
    turns.py          Requests that begin alike -> their answers, the first of each before the others
    probe_prompt.py   a unit or scale         -> Requests      of one token
    claim_prompt.py   a trace, its claims     -> Requests      that take it apart, that check them
    change.py         two Rubrics             -> Changes       and whether a judge must be asked anew
    backend.py        Request                 -> Reply         the contract: a Protocol with one method
    content.py        a trace                 -> whether it says anything
    fold.py           a text                  -> the same text as it is compared
    typo.py           two words               -> whether one is the other misspelt
    bare.py           a statement             -> its own words, without what is quoted
    compound.py       a statement             -> the sign that it says two things
    evidence.py       quote × trace           -> Span          exact, normalised, near, or none
    unwrapping.py     Reply                   -> the one JSON object in it
    words.py          that object             -> Words         matched to what was asked
    verdict.py        Words                   -> Verdicts      with their evidence verified
    claims.py         Reply                   -> Claims        each found in the trace
    criteria.py       Verdicts on criteria    -> a score
    tree.py           Verdicts on its leaves  -> the score of a tree
    distribution.py   a probe's Reply         -> what is likeliest, and what is expected
    score.py          Verdicts                -> Scores        arithmetic only
    panel.py          Verdicts of many judges -> one Verdict, and a trace's scores from such
    arithmetic.py     Verdicts and Scores     -> the sums      as a person would write them
    outcome.py        Verdicts and failures   -> Outcome       all that is known of a record
    caution.py        a reason to doubt a run's numbers
    progress.py       Outcomes                -> counts        where a run stands, and how it ended
    conversation.py   Request                 -> Heard         ask, check, ask again
    claiming.py       asks                    -> Answers       claims of the trace, and what supports them
    written.py        asks                    -> Answers       verdicts as JSON, with evidence and reason
    probing.py        asks                    -> Answers       verdicts as probabilities, a token each
    asking.py         Records                 -> Outcomes
    plain.py          an answer               -> its plain text, to be compared
    cue.py            words that announce     -> patterns that find an answer
    answer.py         trace × reference       -> answer, right or not
    table.py          Outcomes                -> Polars frames the schemas are the contract
    preference.py     two traces              -> Preference    which is better, in both orders
    pairs/
      pair.py         two traces of an id     -> the question that both answer
      grouping.py     traces                  -> Pairs         and what has no partner
      reading.py      an open input           -> its traces    images stay closed
      inputs.py       trace files             -> all Pairs     and all that is in none
      prompt.py       a Pair                  -> Requests      with one of the two first
      said.py         Reply                   -> what it says  of whose trace, with evidence from it
      asking.py       Pairs                   -> PairOutcomes  in both orders
      table.py        PairOutcomes            -> frames
    aggregate.py      Scores                  -> means, intervals
    statistics/
      estimate.py     counts                  -> Estimate      a number, or why there is none
      bootstrap.py    counts of every record  -> intervals     2,000 draws of records
      table.py        two raters' labels      -> confusion     kappa, AC1, F1
      rank.py         pairs of numbers        -> correlations  Spearman, Kendall, Pearson, AUC
      raters.py       labels of several       -> Fleiss' kappa, alpha
      isotonic.py     points                  -> the steps nearest to them that never fall
      sign_test.py    wins and losses         -> how often chance is as one-sided
      bradley_terry.py wins of each over each -> log-strengths, or the groups between which there are none
      strengths.py    outcomes by record      -> Strengths     with intervals, or why there are none
    difference.py     Scores                  -> how far models are apart on what they share
    move.py           two runs × Comparison   -> Moves         of verdicts and scores between two versions of a rubric
    score_pairs.py    Scores of two models    -> Preferences   free of calls
    win_rate.py       Preferences             -> WinRates      and what the order of two traces did
    standing.py       Preferences             -> Standings     win rates and strengths of each judge and axis
    price.py          a judge's name          -> what its tokens cost
    purse.py          a budget                -> room for a call, or none
    cautions/
      correlation.py  two columns             -> their rank correlation
      family.py       a model's name          -> its family
      kinship.py      who judged × whom       -> Cautions
      gap.py          what is missing         -> Cautions
      sway.py         what scores hang on     -> Cautions
      doubt.py        the tables of a run     -> Cautions      the most important first
    journal/
      seen.py         names that were met     -> whether a name may be one of them
      sealed.py       a Reply                 -> bytes that no damage passes for, and back
      wal.py          SQLite's log            -> whether replies are lost in it
      file.py         a journal's file        -> made, connected to, checked
      salvage.py      a damaged journal       -> every reply in it that is whole
      journal.py      paid replies            -> disk, and back
      recovery.py     a journal of any state  -> one to go on with
      other.py        another run's journal   -> the replies in it, only read
    judge_name.py     a judge's name          -> who answers under it
    ranges.py         a setting's value       -> whether it may be so
    sampling.py       a request's parameters  -> those that a user may set
    settings.py       one judge, one rubric   -> their identity
    usable.py         Settings                -> whether this judge can be asked
    connect.py        Settings                -> Asker         backend and wrappers, by name
    runs/
      directory.py    a run's files           -> whole or not at all
      naming.py       run directories         -> names that tell them apart
      failed.py       what failed             -> a file        and the calls to be asked anew
      story.py        how a run went          -> what run.json says of every run
      pair_files.py   preferences             -> the tables of a run that compares
      claim.py        a run's files × Settings -> whether it may go on
      together.py     run directories         -> Together      scores of one rubric and judge, side by side
      block.py        neighbouring Outcomes   -> one part      joined with what is there
      session.py      blocks of the input     -> parts         one process at work
      worker.py       one share of a run      -> its parts     in a process of its own
      workers.py      N processes on one run
    panels/
      rule.py         Settings of many judges -> PanelRule     who is in a panel, and how it decides
      accord.py       outcomes of many judges -> how far they agree
      doubtful.py     verdicts of many judges -> the units that a person should look at
      joining.py      Tables of many judges   -> one, with the panel's own rows
      report.py       the judges of a panel   -> how a session of theirs ended, and run.json
    run.py            traces                  -> a run directory
    beside.py         runs in one folder      -> what each finds of the others, and their one budget
    compared_runs.py  run directories         -> ComparedRuns  preferences from scores, or those of before
    compare.py        traces of two models    -> a run directory of preferences, by a judge
    versions.py       traces × two Settings   -> two run directories, of which the second asks what differs
    panel_run.py      traces × many Settings  -> a run directory each, and one that joins them
    drafts/
      coverage.py     a reference × quotes    -> Coverage      what of it no unit comes from
      claim.py        claims                  -> whether two say the same, and what to look at in one
      asking.py       a record's reference    -> Requests      one for each axis
      reply.py        Reply                   -> units, with their passages of the reference
      merging.py      units of all axes       -> the same, each said once
      draft.py        units of one record     -> Draft         numbered, with warnings
      drafter.py      Record                  -> a Draft, or why there is none
      row.py          Draft                   -> a line that a person edits, and back
      done.py         rows of the input       -> what came of each
      folder.py       a draft's file          -> its lines, and what is known of them
      task.py         a task and traces       -> Request       for criteria
      criterion.py    Reply                   -> criteria
      rubric_text.py  criteria                -> the text of a rubric file
    draft.py          records × Settings      -> a file of units
    draft_task.py     a task × Settings       -> a rubric file
    measured.py       replies                 -> Measured      what one is like
    paid.py           a run and a store       -> the reply to a request that is paid for already
    estimate.py       Traces × Settings       -> Estimate      what a run would take
    pair_estimate.py  Traces × Settings       -> Estimate      of comparing them
    preview.py        Record × Settings       -> Preview       all that would be sent, and how it would be scored
    comparing.py      two lists, or pairs     -> which traces are better
    line.py           Settings                -> Line          the connection of this process, opened when needed
    client.py         class Judge: the library's door, sync and async
    panel_client.py   class Panel: the same for several judges
    reward.py         Outcome × RewardShape   -> Reward        the number that a trainer gets
    cases.py          golden cases in a file  -> Cases         what a judge must say of a record
    golden.py         Cases × Run             -> what came of each

    calls/            cached prepared careful retrying budgeted limited logged deadline: each wraps a backend and is one
    backends/         openai_compatible litellm vllm_engine lexical: what answers
    lint/             what is wrong with a rubric and its units: one family of rules a file
    formats/          rubrics of other tools and data sets, read and written: one file a format
    recordings/       recorded judge outputs, read strictly into a run directory: one file a format
    rewards/          batches of a trainer -> rewards: one file a trainer
    web/              what label/ and serve/ share: a socket, a server, a body with an end
    redteam/          attacks on a judge: families of them, the records that they make, what they brought
    label/            a person's labels: a page on this machine, and the file that it fills
    trust/            how far a judge can be believed: held against people, against itself, against other images
    report/           runs -> one HTML file: numbers, plots, and the records behind them
    serve/            the HTTP service: scores, comparisons and rewards for all ranks of a training run
    cli/              one file a command
    testing/          a scripted judge on loopback that misbehaves on request

Names below are loaded when they are first used: `import judge` needs neither Polars nor pydantic.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from judge.aggregate import summarise
    from judge.client import Judge
    from judge.errors import JudgeError
    from judge.panel_client import Panel
    from judge.record import Record
    from judge.rubric import Rubric
    from judge.table import Run

__all__ = ["Judge", "JudgeError", "Panel", "Record", "Rubric", "Run", "summarise"]

_HOMES = {
    "Judge": "client",
    "JudgeError": "errors",
    "Panel": "panel_client",
    "Record": "record",
    "Rubric": "rubric",
    "Run": "table",
    "summarise": "aggregate",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'judge' has no attribute {name!r}")
    return getattr(import_module(f"judge.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
