// Sizes on a logarithmic scale: its range, a size's place in it, its colour, and how it is written.

import { element } from "./state.js";

const MOST = 8; // decades shown: below them a signal is as good as gone, and a wider scale would hide what lives
const STOPS = 6; // colours of the ramp, from small to large

export class Scale {
  // Over all sizes of `series`, to whole decades.
  constructor(series) {
    const logs = series.flat().filter((size) => size > 0).map(Math.log10);
    this.high = logs.length ? Math.ceil(Math.max(...logs) - 1e-9) : 0;
    const low = logs.length ? Math.floor(Math.min(...logs) + 1e-9) : -1;
    this.low = Math.min(this.high - 1, Math.max(low, this.high - MOST));
    this.cut = logs.some((log) => log < this.low) || series.flat().includes(0);
  }

  // 0 for the smallest or less, 1 for the largest; null for what is no number.
  place(size) {
    if (size == null) return null;
    return size > 0 ? Math.max(0, Math.min(1, (Math.log10(size) - this.low) / (this.high - this.low))) : 0;
  }

  // The decades, `most` of them at most.
  decades(most) {
    const all = this.high - this.low, every = Math.ceil(all / most);
    return Array.from({ length: Math.floor(all / every) + 1 }, (_, i) => this.high - i * every).reverse();
  }
}

// The colours are the page's, of which a theme has its own; those of the root are the light ones.
export function ramp(of = document.body) {
  const style = getComputedStyle(of);
  const stops = Array.from({ length: STOPS }, (_, i) => style.getPropertyValue(`--h${i}`).trim())
    .map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  return (place) => {
    const at = place * (STOPS - 1), below = Math.min(STOPS - 2, Math.floor(at)), part = at - below;
    return `rgb(${stops[below].map((value, i) => Math.round(value + part * (stops[below + 1][i] - value))).join()})`;
  };
}

// The ramp of colours with its numbers.
export function paintScale(box, scale, asShare) {
  const paint = ramp(), bar = element("i"), numbers = element("p");
  bar.style.background = `linear-gradient(90deg, ${Array.from({ length: 11 }, (_, i) => paint(i / 10)).join(", ")})`;
  for (const exponent of scale.decades(4)) {
    const number = element("span", "", `${scale.cut && exponent === scale.low ? "≤ " : ""}${decade(exponent, asShare)}`);
    number.style.left = `${(100 * (exponent - scale.low)) / (scale.high - scale.low)}%`;
    numbers.append(number);
  }
  box.replaceChildren(bar, numbers);
}

const SMALL_DIGITS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const power = (n) => `${n < 0 ? "⁻" : ""}${[...String(Math.abs(n))].map((digit) => SMALL_DIGITS[digit]).join("")}`;

// A power of ten; of updates as a share of the weights.
export function decade(n, asShare) {
  if (asShare) return n >= -6 ? `${Number((10 ** (n + 2)).toPrecision(1))} %` : `10${power(n + 2)} %`;
  return n >= -3 && n <= 3 ? String(Number((10 ** n).toPrecision(1))) : `10${power(n)}`;
}

// To three digits.
export function written(size, asShare) {
  if (size == null) return "not a number";
  if (size === 0) return asShare ? "0 %" : "0";
  const shown = asShare ? 100 * size : size, log = Math.floor(Math.log10(shown)), unit = asShare ? " %" : "";
  if (log < -4 || log > 5) return `${(shown / 10 ** log).toFixed(2)} · 10${power(log)}${unit}`;
  return `${Number(shown.toPrecision(3)).toLocaleString("en-US", { maximumSignificantDigits: 3 })}${unit}`;
}
