"""Generated tasks: questions with one right answer each, as lines of text. No torch here.

Every example of a task is as long as the others, "question answer newline", so that a text of them is a table. They
follow from the task and its size alone: the same on every machine, for every seed of training.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

DRAWS = 20_000  # examples drawn; those that came up before are left out
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SYMBOLS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"  # a number below 62 as one character
CLOSING = {"(": ")", "[": "]", "{": "}"}

Draw = Iterator[tuple[str, str]]  # questions with their answers, without an end unless there are few of them


# ---- what is asked


def copy(r: random.Random, size: int) -> Draw:
    """Letters, and the same again."""
    while True:
        word = "".join(r.choices(LETTERS, k=size))
        yield f"{word}=", word


def reverse(r: random.Random, size: int) -> Draw:
    """Letters, and the same backwards."""
    while True:
        word = "".join(r.choices(LETTERS, k=size))
        yield f"{word}=", word[::-1]


def sort(r: random.Random, size: int) -> Draw:
    """Letters, and the same in the order of the alphabet."""
    while True:
        word = "".join(r.choices(LETTERS, k=size))
        yield f"{word}=", "".join(sorted(word))


def addition(r: random.Random, size: int) -> Draw:
    """Two numbers of so many digits, and their sum, which has one more."""
    while True:
        a, b = r.randrange(10**size), r.randrange(10**size)
        yield f"{a:0{size}}+{b:0{size}}=", f"{a + b:0{size + 1}}"


def modular(r: random.Random, size: int) -> Draw:
    """All sums of two numbers below the modulus, counted round as on a clock; a number is one character."""
    pairs = [(a, b) for a in range(size) for b in range(size)]
    r.shuffle(pairs)
    for a, b in pairs:
        yield f"{SYMBOLS[a]}+{SYMBOLS[b]}=", SYMBOLS[(a + b) % size]


def induction(r: random.Random, size: int) -> Draw:
    """Different letters, one of them again: what followed it follows again, half as many letters."""
    while True:
        word = "".join(r.sample(LETTERS, size))
        at, more = r.randrange(size - size // 2), size // 2
        yield word + word[at], word[at + 1 : at + 1 + more]


def parity(r: random.Random, size: int) -> Draw:
    """Zeros and ones, and 1 if the number of ones is odd."""
    while True:
        bits = "".join(r.choices("01", k=size))
        yield f"{bits}=", str(bits.count("1") % 2)


def running(r: random.Random, size: int) -> Draw:
    """Zeros and ones, and for each of them 1 if the number of ones so far is odd: the last is the parity."""
    while True:
        bits = "".join(r.choices("01", k=size))
        yield f"{bits}=", "".join(str(bits.count("1", 0, end) % 2) for end in range(1, size + 1))


def brackets(r: random.Random, size: int) -> Draw:
    """Brackets of which some are still open: those that close them, then dots."""
    while True:
        text, still_open = "", []
        for _ in range(size):
            if still_open and r.random() < 0.4:
                text += CLOSING[still_open.pop()]
            else:
                still_open.append(r.choice("([{"))
                text += still_open[-1]
        closing = "".join(CLOSING[one] for one in reversed(still_open))
        yield f"{text}=", closing.ljust(size, ".")


DRAWN: dict[str, Callable[[random.Random, int], Draw]] = {
    "copy": copy, "reverse": reverse, "sort": sort, "addition": addition, "modular": modular, "induction": induction,
    "parity": parity, "running": running, "brackets": brackets,
}


def examples(task: str, size: int) -> list[tuple[str, str]]:
    """Different questions with their answers, in random order."""
    return list(dict(islice(DRAWN[task](random.Random(task), size), DRAWS)).items())


# ---- what is known of them


@dataclass(frozen=True)
class Task:
    """What a task is called, what it asks, and the sizes that it can have."""

    label: str
    line: str
    unit: str  # what its size counts
    least: int
    usual: int
    most: int


TASKS = {
    "copy": Task("copy", "Letters, and the same again.", "letters", 1, 8, 48),
    "reverse": Task("reverse", "Letters, and the same backwards.", "letters", 1, 8, 48),
    "sort": Task("sort", "Letters, and the same in the order of the alphabet.", "letters", 2, 8, 48),
    "addition": Task("addition", "Two numbers of as many digits, and their sum.", "digits", 1, 3, 16),
    "modular": Task("modular addition", "Two numbers below a modulus, each one character, and what is left of their sum.",
                    "modulus", 5, 31, 62),
    "induction": Task("induction", "Different letters, one of them again: what followed it follows again.", "letters", 3, 8, 26),
    "parity": Task("parity", "Zeros and ones, and 1 if the number of ones is odd.", "bits", 4, 10, 48),
    "running": Task("running parity", "Zeros and ones, and the parity after each of them: step by step.", "bits", 4, 12, 48),
    "brackets": Task("brackets", "Brackets still open: those that close them, then dots.", "brackets", 2, 8, 48),
}


@lru_cache(maxsize=64)
def shape(task: str, size: int) -> tuple[int, int]:
    """Characters of a question and of its answer; a size of 0 is the usual one."""
    question, answer = next(DRAWN[task](random.Random(0), size or TASKS[task].usual))
    return len(question), len(answer)


@lru_cache(maxsize=4)
def text_of(task: str, size: int) -> str:
    """All examples of a task, one a line."""
    return "".join(f"{question}{answer}\n" for question, answer in examples(task, size or TASKS[task].usual))


def first_held_out(lines: int, val_fraction: float) -> int:
    """The place of the first of `lines` examples that is not trained on: the last ones, at least one."""
    return int(lines * (1 - val_fraction))


def held_out_question(task: str, size: int, val_fraction: float) -> str:
    """A question that is not trained on, always the same."""
    lines = text_of(task, size).splitlines()
    return lines[first_held_out(len(lines), val_fraction)][: shape(task, size)[0]]
