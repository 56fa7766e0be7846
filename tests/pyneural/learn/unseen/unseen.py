"""Students' mistakes that no lesson lists, and what a check answers.

`python tests/pyneural/learn/unseen/unseen.py` checks all of them and writes docs/unseen.md.

The first lines of a file were written before its first check, as a teacher would say it:

    // line 7 or 9: cause
    // words: what an answer that names the cause has in it; and this
    // later: not named at first sight

The third line is only in those that were written when the rules for the others were mended; all three begin
with `#` in the place of `//` where it is in Python. Those of `named/` get an answer with the line and the words; those
of `not_named/`, of which there may be none, are only found to be wrong.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from pyneural.learn import judge as answers
from pyneural.learn import repair as search
from pyneural.learn.exercise import Remark
from pyneural.learn.judge import FULL, Verdict, judge
from pyneural.learn.language import CUDA, LANGUAGES, PYTHON, Language
from pyneural.learn.lesson import Lesson, find

HERE = Path(__file__).parent
ROOT = HERE.parents[3]
PAGE = ROOT / "docs" / "unseen.md"
SEED = 1
_HEAD = re.compile(
    r"(?P<mark>//|#) line (?P<lines>\d+(?: or \d+)*): (?P<cause>.+)\n(?P=mark) words: (?P<words>.+)\n"
    r"(?:(?P=mark) later: (?P<later>.+)\n)?"
)
_LINES = re.compile(r"\blines? (\d+(?:, \d+)*)")
_VARIES = (
    (re.compile(r"\bis (?:-?[\d.]+(?:e[+-]\d+)?|-?nan|-?inf), not [^;]+;"), "is ..., not ...;"),
    (re.compile(r"must be (?:-?[\d.]+(?:e[+-]\d+)?|-?nan|-?inf)"), "must be ..."),
    (re.compile(r"\w+(?:\[[^\]]*\]) is \.\.\., not \.\.\.; \d+ of"), "... is ..., not ...; ... of"),
    (re.compile(r"this one is the work of .*"), "this one is the work of ..."),
    (re.compile(r"thread (?:\d+|\([\d, ]+\))(?: of block (?:\d+|\([\d, ]+\)))?"), "thread ..."),
    (re.compile(r"^line \d+: hang"), "line ...: hang"),
    (re.compile(r"(race: .*?\w+)\[\d+\]"), r"\1[...]"),
)
"""What differs from run to run, or with the inputs."""


BEFORE = {
    CUDA: "7, and two of the kernels ended the check itself; after a first round of mending for 36",
    PYTHON: "5 of the first 36, for one of them with advice that led astray, and one kernel had full marks",
}
HEAD = (
    "# Mistakes that no lesson lists",
    "",
    "Written by `python tests/pyneural/learn/unseen/unseen.py`; a test holds it fresh.",
    "",
    "A lesson's own wrong answers were at hand when its advice was written. These were not: they are common mistakes "
    "of beginners, in CUDA C++ and, mostly of other kinds, in Python. Line and cause were written down first, as a "
    "teacher would say them. Where an answer did not name both, the rules of the check were mended, never the cause; "
    "some of the words by which a test recognises the cause were then chosen anew. So the page shows what the check "
    "can do after that, and not how it does with a mistake it has never met.",
    "",
    "What the check cannot tell well:",
    "",
    "- A mistake in the mathematics, such as a missing factor, unless the lesson foresaw it: the answer names "
    "an element that is wrong and the line that stores it.",
    "- Two places that are wrong at once. A search for the place changes one name or comparison at a time, "
    "only in what the student wrote, and for a few seconds at most, which on a slow machine may not be enough; "
    "of operators and numbers it tries none.",
    "- A change that the search finds need not be the one that was meant: it says where the results can be mended.",
    "- Of some the answer shows the place, and the expression or the effect there, and leaves the reason to "
    "the student: `03_two_threads_side_by_side`, `06_block_not_turned`, `08_thread_0_of_the_block`, "
    "`09_counts_places`, and all whose place was found by the search.",
    "- Rules about a line look at its text. A mistake behind a macro or in an unusual notation is not seen.",
    "- With clang in the place of g++ some of the warnings behind these answers have no counterpart.",
    "",
    "`...` stands for what differs from run to run.",
    "",
)


@dataclass(frozen=True)
class Mistake:
    path: Path
    lines: tuple[int, ...]
    cause: str
    words: tuple[str, ...]
    later: str
    """For one that was written when the rules were mended: what the first check of all gave."""

    @property
    def id(self) -> str:
        return self.path.stem if self.lesson.language is CUDA else self.path.name

    @property
    def named(self) -> bool:
        return self.path.parent.name == "named"

    @property
    def lesson(self) -> Lesson:
        language = next(each for each in LANGUAGES if each.suffix == self.path.suffix)
        return find(self.path.name.partition("_")[0], language)

    def says(self, remark: Remark) -> bool:
        """Whether a remark names a line of the mistake, and the cause."""
        text = f"{remark.says}; {remark.look}"
        spoken = {remark.line, *(int(n) for each in _LINES.findall(text) for n in each.split(", "))}
        return bool(spoken & set(self.lines)) and all(word in text for word in self.words)


def read(path: Path) -> Mistake:
    match = _HEAD.match(path.read_text(encoding="utf-8"))
    if not match:
        raise ValueError(f"{path}: must begin with `// line N: cause` and `// words: ...`, or with # in their place")
    lines = tuple(int(each) for each in match["lines"].split(" or "))
    return Mistake(path, lines, match["cause"], tuple(match["words"].split("; ")), match["later"] or "")


def mistakes() -> list[Mistake]:
    """By language, then by lesson."""
    files = (sorted(HERE.glob(f"*/*{each.suffix}"), key=lambda path: path.name) for each in LANGUAGES)
    return [read(path) for some in files for path in some]


def check(mistake: Mistake, seed: int) -> Verdict:
    """With so much time for the search that a slow machine answers as a fast one."""
    before = search.SECONDS, answers.CHANGED
    search.SECONDS, answers.CHANGED = 60.0, 1.0
    try:
        return judge(mistake.lesson, mistake.path, seed)
    finally:
        search.SECONDS, answers.CHANGED = before


def entry(mistake: Mistake, verdict: Verdict) -> str:
    """One mistake of the page: what a teacher says, the line, what the check says."""
    place = mistake.path.relative_to(ROOT).as_posix()
    text = mistake.path.read_text(encoding="utf-8").split("\n")
    code = [f"{number:3}  {text[number - 1].strip()}" for number in mistake.lines]
    answer = []
    for remark in verdict.remarks:
        answer.append(f"> {_settled(str(remark))}" if mistake.says(remark) else f"  {_settled(_unplaced(str(remark)))}")
        if remark.look:
            answer.append(f"      look at: {remark.look}")
    answer.append(f"  {verdict.marks} of {FULL} marks")
    return "\n".join([
        f"### [{mistake.id}](../{place})", "", f"A teacher: {mistake.cause}.{_later(mistake)}", "",
        "```", *code, "", *answer, "```", "",
    ])  # fmt: skip


def _later(mistake: Mistake) -> str:
    return f" (Written later, and {mistake.later}.)" if mistake.later else ""


def _unplaced(text: str) -> str:
    """Of several races the first is the one that counts; which others are met depends on the order of blocks."""
    return re.sub(r"\bline \d+", "line ...", text) if ": race: " in text else text


def _settled(text: str) -> str:
    for pattern, general in _VARIES:
        text = pattern.sub(general, text)
    return text


def page(checked: list[tuple[Mistake, Verdict]]) -> str:
    """docs/unseen.md."""
    found = [
        line
        for language in LANGUAGES
        for line in _section(language, [each for each in checked if each[0].lesson.language is language])
    ]
    return "\n".join([*HEAD, *found])


def _section(language: Language, checked: list[tuple[Mistake, Verdict]]) -> list[str]:
    named = [each for each in checked if each[0].named]
    others = [each for each in checked if not each[0].named]
    covered = len({mistake.lesson.number for mistake, _ in checked})
    later = [mistake.later for mistake, _ in checked if mistake.later]
    first = later.count("named at first sight")
    new = (
        f"{len(later)} were written when the rules for the others were mended, and at first sight an answer named line "
    )
    new += f"and cause for {first} of these: that is how the check does with mistakes that it has not met. "
    left = f"Below them {'is' if len(others) == 1 else 'are'} {len(others)} for which it does not." if others else ""
    return [
        f"## In {language.name}",
        "",
        f"{len(checked)} mistakes in {covered} of the lessons. An answer names line and cause for {len(named)}, "
        "in the remark that is marked with `>`; before the rules were mended it did for "
        f"{BEFORE[language]}. {new if later else ''}{left}".rstrip(),
        "",
        *(entry(mistake, verdict) for mistake, verdict in named),
        *([f"## In {language.name}: only that it is wrong", ""] if others else []),
        *(entry(mistake, verdict) for mistake, verdict in others),
    ]


def main() -> int:
    checked = [(mistake, check(mistake, SEED)) for mistake in mistakes()]
    PAGE.write_text(page(checked), encoding="utf-8")
    bad = [m.id for m, verdict in checked if m.named != any(m.says(each) for each in verdict.remarks)]
    print(f"{PAGE.name}: {len(checked)} mistakes, not as their folder says: {', '.join(bad) or 'none'}")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
