// Attention of one position, written out: what gpt/model.py computes for a row of its scores. Pure.

// `query` looks at the keys of positions 0 to `at`. Returns, of every position, its match, its scaled score, and its share
// (null, null and 0 where it may not look), and the mixture of the values.
export function attend(query, keys, values, at) {
  const seen = keys.map((_, s) => s <= at);
  const matches = keys.map((key, s) => (seen[s] ? dot(query, key) : null));
  const scores = matches.map((match) => (match === null ? null : match / Math.sqrt(query.length)));
  const highest = Math.max(...scores.filter((score) => score !== null));
  const raised = scores.map((score) => (score === null ? 0 : Math.exp(score - highest))); // none overflows
  const total = raised.reduce((sum, part) => sum + part, 0), shares = raised.map((part) => part / total);
  const mixture = values[0].map((_, i) => values.reduce((sum, value, s) => sum + shares[s] * value[i], 0));
  return { matches, scores, shares, mixture };
}

const dot = (a, b) => a.reduce((sum, number, i) => sum + number * b[i], 0);
