"""Every error that `judge` raises, in one tree.

    JudgeError
    ├── InputError              change a file or an argument; raised before the first paid call
    │   ├── RecordError         one input line (line, field); becomes a failure row, the rest goes on
    │   ├── RubricError         a rubric file (file, line)
    │   ├── PromptError         a prompt template
    │   └── ConfigError         an option, a key, a directory
    ├── BackendError            the model edge failed
    │   ├── TransientError      rate limit, timeout, 5xx, dropped connection; worth another try
    │   ├── RejectedError       the request was refused; the same request will be refused again
    │   │   └── FatalError      the key or quota is bad: no request of this run can succeed
    │   └── CacheError          the journal or the shared store cannot be read or written
    ├── RewardError             a batch has no rewards that a trainer could learn from
    └── ReplyError              the model answered; the answer cannot be used
        ├── MalformedReplyError not one JSON object
        ├── TruncatedReplyError cut at the token limit
        └── OffMenuError        wrong units, wrong values, or evidence that is not in the trace

A message says where, what was wrong (the value with `!r`), what was allowed. `hint` says what to do next.
"""

from __future__ import annotations

__all__ = [
    "BackendError",
    "CacheError",
    "ConfigError",
    "FatalError",
    "InputError",
    "JudgeError",
    "MalformedReplyError",
    "OffMenuError",
    "PromptError",
    "RecordError",
    "RejectedError",
    "ReplyError",
    "RewardError",
    "RubricError",
    "TransientError",
    "TruncatedReplyError",
]


class JudgeError(Exception):
    """Base of all errors of this package.

    Args:
        message: Where, what was wrong, what was allowed.
        code: A short stable word for tables, such as `timeout`; defaults to the class's own.
        hint: What to do next; defaults to the class's own.
    """

    code = "error"
    hint = ""
    retryable = False

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = self.code if code is None else code
        self.hint = self.hint if hint is None else hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InputError(JudgeError):
    """A file or an argument must change. Raised before the first paid call."""

    code = "input"


class RecordError(InputError):
    """One input line cannot be read or judged.

    Args:
        message: What was wrong with it.
        line: 1-based line number in the input.
        field: Dotted path of the field, such as `units.knowledge[2].claim`; empty for the whole line.
        record_id: The record's id where it could be read.

    Attributes:
        source: What the line is of, where there are several inputs; empty where there is one.
    """

    code = "invalid_record"
    source = ""

    def __init__(
        self,
        message: str,
        *,
        line: int = 0,
        field: str = "",
        record_id: str | None = None,
        code: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.line = line
        self.field = field
        self.record_id = record_id

    def __str__(self) -> str:
        place = f"line {self.line}{f' of {self.source}' if self.source else ''}" if self.line else "record"
        return f"{place}{', ' + self.field if self.field else ''}: {super().__str__()}"


class RubricError(InputError):
    """A rubric file is wrong."""

    code = "invalid_rubric"


class PromptError(InputError):
    """A prompt template is wrong, or a rendered prompt is too large."""

    code = "invalid_prompt"


class ConfigError(InputError):
    """An option, a key, or a directory cannot be used."""

    code = "config"


class BackendError(JudgeError):
    """The edge to the model failed. `attempts` is how many requests were sent before we gave up."""

    code = "backend"
    attempts = 1


class TransientError(BackendError):
    """Another try may succeed.

    Args:
        message: What happened.
        retry_after_s: Seconds that the server asked us to wait, if it said so.
        throttled: The server said that we ask too fast; says nothing about the request itself.
    """

    code = "transient"
    retryable = True

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        throttled: bool = False,
        code: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.retry_after_s = retry_after_s
        self.throttled = throttled


class RejectedError(BackendError):
    """The server refused this request and would refuse it again."""

    code = "rejected"


class FatalError(RejectedError):
    """No request of this run can succeed (bad key, no quota, unknown model): the run stops."""

    code = "fatal"


class CacheError(BackendError):
    """The journal or the shared store cannot be read or written."""

    code = "cache"


class RewardError(JudgeError):
    """A batch has no rewards that a trainer could learn from."""

    code = "no_reward"


class ReplyError(JudgeError):
    """The model answered, and the answer cannot be used."""

    code = "unusable_reply"


class MalformedReplyError(ReplyError):
    """The reply is not exactly one JSON object."""

    code = "not_json"


class TruncatedReplyError(ReplyError):
    """The reply was cut at the token limit."""

    code = "truncated"


class LostInSpaceError(TruncatedReplyError):
    """It was cut in a run of white space: a schema that a model is held to allows it for ever between two words."""

    code = "white_space"


class OffMenuError(ReplyError):
    """Wrong units, wrong keys, wrong values, or evidence that is not in the trace.

    Args:
        message: All faults in one sentence.
        faults: Each fault in our own words, fit to be shown to the judge.
    """

    code = "off_menu"

    def __init__(self, message: str, *, faults: tuple[str, ...] = (), code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.faults = faults
