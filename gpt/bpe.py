"""Byte-pair merges: the commonest pair of neighbouring tokens becomes a token of its own, again and again.

Gage 1994 and Sennrich et al. 2016, over bytes as in Radford et al. 2019. No torch here.
"""

from collections import defaultdict
from heapq import heapify, heappop, heappush

MOST_BYTES = 250_000  # of different words to learn from; tiny Shakespeare has 103,000
MOST_BYTES_OF_WORD = 1 + 16 * 4  # a space and letters of WORD
UNMADE = 1 << 30  # more than any token

# Merges stay within words: letters with a space or an apostrophe before them, digits, signs, or white space. What is no sign
# is a letter. The classes are spelled out, so that every machine, and the `tokenizers` library, cuts alike.
SIGNS = "!-/:-@\\[-`{-~\u00a0-\u00bf\u2000-\u206f\u3000-\u303f\uff01-\uff20"
SPACE = " {1,16}(?= [^\t-\r ])| {1,16}|[\t-\r]{1,16}"
WORD = "[ ']?[^\t-\r 0-9" + SIGNS + "]{1,16}| ?[0-9]{1,3}| ?[" + SIGNS + "]{1,16}|" + SPACE

Pair = tuple[int, int]


def learn(counts: dict[str, int], vocab_size: int) -> list[Pair]:
    """The merges that make `vocab_size` tokens of the 256 bytes, from words and how often each comes.

    The commonest words count, as many as have MOST_BYTES. Merges are fewer where no pair comes twice any more. Of pairs
    that are as common, the one of the lowest numbers goes first; one that would make a token that is there is left alone.
    """
    words, room = [], MOST_BYTES
    for less, word in sorted((-count, word) for word, count in counts.items()):
        words.append((list(word.encode()), -less))
        if (room := room - len(words[-1][0])) < 0:
            break
    pairs, where = defaultdict(int), defaultdict(set)
    for place, (word, count) in enumerate(words):
        for pair in zip(word, word[1:]):
            pairs[pair] += count
            where[pair].add(place)
    tokens, merges = [bytes([i]) for i in range(256)], []
    known, heap = set(tokens), [(-count, pair) for pair, count in pairs.items()]
    heapify(heap)
    while heap and len(tokens) < vocab_size:
        count, pair = heappop(heap)
        made = tokens[pair[0]] + tokens[pair[1]]
        if -count > pairs[pair]:  # other merges have taken some since: it waits for its turn
            heappush(heap, (-pairs[pair], pair))
            continue
        if count > -2:
            break
        if made in known:
            continue
        new = set()
        for place in where.pop(pair):
            word, count = words[place]
            for old in zip(word, word[1:]):
                pairs[old] -= count
            word[:] = merged(word, pair, len(tokens))
            for found in zip(word, word[1:]):
                pairs[found] += count
                where[found].add(place)
                if len(tokens) in found:
                    new.add(found)
        for found in new:
            heappush(heap, (-pairs[found], found))
        merges.append(pair)
        tokens.append(made)
        known.add(made)
    return merges


def merged(word: list[int], pair: Pair, token: int) -> list[int]:
    """`word` with `token` in the place of each `pair`, from the left."""
    first, second = pair
    found, at, end = [], 0, len(word) - 1
    while at <= end:
        together = word[at] == first and at < end and word[at + 1] == second
        found.append(token if together else word[at])
        at += 1 + together
    return found


def pieces(word: list[int], made: dict[Pair, int]) -> list[int]:
    """The bytes of a word after all merges, pair -> token, in the order in which they were learnt."""
    while len(word) > 1:
        found = [made.get(pair, UNMADE) for pair in zip(word, word[1:])]
        token = min(found)
        if token == UNMADE:
            break
        at = found.index(token)
        word = merged(word, (word[at], word[at + 1]), token)
    return word
