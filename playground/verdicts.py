"""A loss in words: what a model that reaches it must know. No torch here."""

import math

# (a loss in nats a token, the words for a loss at or under it), falling
Verdicts = list[tuple[float, str]]


def verdicts(vocab_size: int, unigram: float, bigram: float, kind: str = "char") -> Verdicts:
    """Falling losses in nats, each with the words for a loss at or under it; the first is for any loss above, too.

    Word pieces, of the `kind` "bpe", are no letters: what is beyond their pairs has no words.
    """
    guessing = math.log(vocab_size)
    letters = (guessing + unigram) / 2
    pairs = (unigram + bigram) / 2
    lines = [
        (1e9, "worse than guessing"),
        (guessing + 0.1, "guessing"),
        (guessing - 0.15, "learning which letters are common"),
        (min(letters, unigram + 0.1), "knows letter frequencies"),
        (unigram - 0.08, "learning which letters follow which"),
        (min(pairs, bigram + 0.06), "knows letter pairs"),
        (bigram - 0.03, "past the bigram table"),
        (bigram - 0.3, "past the bigram table: short words"),
        (bigram - 0.6, "words and names"),
        (bigram - 0.9, "phrases"),
    ]
    if kind == "bpe":
        lines = [(limit, words.replace("letter", "token")) for limit, words in lines[:7]]
    return falling(lines)


def task_verdicts(vocab_size: int, unigram: float, bigram: float) -> Verdicts:
    """The same for a task, whose loss falls to nothing; the entropies are those of its answers."""
    guessing = math.log(vocab_size)
    lines = [(1e9, "worse than guessing"), (guessing + 0.1, "guessing"), (unigram + 0.05, "knows what answers are made of"),
             (bigram - 0.05, "past the bigram table"), (bigram / 4, "mostly right"), (0.01, "solved")]
    return falling(lines)


def falling(lines: Verdicts) -> Verdicts:
    """Each line under those above it: where a text's entropies lie close together, some would come before."""
    return [(min(limit for limit, _ in lines[: n + 1]), words) for n, (_, words) in enumerate(lines)]


def verdict(loss: float, table: Verdicts) -> str:
    """The words for `loss`: those of the last line it is at or under. A loss that is no number has none."""
    if not math.isfinite(loss):
        return "no longer a number"
    return [words for limit, words in table if loss <= limit or (limit, words) == table[0]][-1]
