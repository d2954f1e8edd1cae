// What the panels of Inspect share: the token that is looked at, and how tokens and numbers are written.

const SIGNS = { "\n": "↵", " ": "␣", "\t": "⇥", "\r": "␍" };

// A token as it can be seen: spaces count at its ends, where they are part of it.
export function glyph(token) {
  if (token.length === 1) return SIGNS[token] || token;
  return token.replace(/[\n\t\r]/g, (sign) => SIGNS[sign]).replace(/^ +| +$/g, (spaces) => SIGNS[" "].repeat(spaces.length));
}

// A probability as people say it: 41 %, 3.2 %, under 0.1 %.
export function percent(p) {
  if (p >= 0.0995) return `${Math.round(100 * p)} %`;
  return p >= 0.001 ? `${(100 * p).toFixed(1)} %` : p > 0 ? "< 0.1 %" : "0 %";
}

// A change in loss: +0.12, −0.03, 0.00.
export const signed = (change) => (Math.abs(change) < 0.005 ? "0.00" : `${change > 0 ? "+" : "−"}${Math.abs(change).toFixed(2)}`);

export const nats = (surprise) => surprise.toFixed(surprise < 9.95 ? 2 : 1);

// The chosen token of a text of `count` places: pointed at, or kept by a press until the next one.
export class Cursor {
  constructor() { Object.assign(this, { at: 1, kept: false, count: 0, listeners: [] }); }

  listen(listener) { this.listeners.push(listener); }

  go(at, keep = this.kept) {
    const wanted = Math.min(Math.max(0, at), Math.max(0, this.count - 1));
    if (wanted === this.at && keep === this.kept) return;
    this.at = wanted;
    this.kept = keep;
    for (const listener of this.listeners) listener();
  }
}
