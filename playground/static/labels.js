// Words at the ends of curves and lines, instead of a legend: placed by importance, moved apart where they would meet.

import { onAxis } from "./curves.js";

const LINE = 15; // px between two labels
const MARGIN = 6;
const LETTERS = 24; // of a label, at most

const ruler = document.createElement("canvas").getContext("2d");

// Labels are {x, y, text, colour, strong, atEdge}, x and y in px within the plot; the first is the most important.
// `room` px lie to the right of it. Returns them with `dy`, the px by which each moves, and shortened where they would
// be cut; those for which there is no place near by are left out.
function place(labels, { width, room, height, font }) {
  const placed = [];
  for (const label of labels) {
    ruler.font = `${label.strong ? "600 " : ""}12px ${font}`;
    const left = label.atEdge ? width + MARGIN : label.x + MARGIN + 2;
    const text = fitted(label.text, width + room - left - 2, label.whole ? Infinity : LETTERS);
    const wide = ruler.measureText(text).width + 4;
    const offsets = [0, ...[1, 2, 3, 4].flatMap((n) => [-n * LINE, n * LINE])];
    for (const dy of offsets) {
      const y = label.y + dy;
      const meets = placed.some((other) => Math.abs(other.y - y) < LINE - 1
        && left < other.left + other.wide && other.left < left + wide);
      if (y < 2 || y > height - 4 || meets) continue;
      placed.push({ ...label, text, dy, y, left, wide });
      break;
    }
  }
  return placed;
}

// Labels {x, y, text, strong, colour, atEdge, whole}, x and y as the data has them, as Plotly's annotations. `axes` is
// {x: range, y: range, logX, logY}, `size` the plot's {w, h, r} with r px to the right of it; `colour(name)` a page's.
export function annotations(labels, axes, size, colour) {
  const [[left, right], [low, high]] = [axes.x, axes.y];
  const inView = labels.map((label) => {
    const dataX = onAxis(axes.logX, label.x), dataY = onAxis(axes.logY, label.y);
    const x = size.w * (dataX - left) / (right - left), y = size.h * (high - dataY) / (high - low);
    return { ...label, dataX, dataY, x, y };
  }).filter(({ x, y, atEdge }) => y >= 0 && y <= size.h && (atEdge || (x >= 0 && x <= size.w + 1)));
  const around = { width: size.w, room: size.r, height: size.h, font: "IBM Plex Sans" };
  return place(inView, around).map((label) => annotation(label, colour));
}

function annotation({ text, strong, colour: own, atEdge, dataX, dataY, dy }, colour) {
  return {
    xref: atEdge ? "paper" : "x", x: atEdge ? 1 : dataX, yref: "y", y: dataY, xanchor: "left", yanchor: "middle",
    xshift: 7, yshift: -dy, showarrow: false, text: strong ? `<b>${plain(text)}</b>` : plain(text),
    font: { size: 12, color: colour(own || (strong ? "--ink" : "--mut")) }, bgcolor: atEdge ? "" : colour("--veil"),
    borderpad: 1,
  };
}

// Plotly reads a little HTML in texts: nothing that a visitor or a text has named may be taken for it.
export const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

// As much of `text` as `room` px hold, in the ruler's font.
function fitted(text, room, most) {
  let letters = Math.min(text.length, most);
  const cut = () => (letters < text.length ? `${text.slice(0, letters).trimEnd()}…` : text);
  while (letters > 3 && ruler.measureText(cut()).width > room) letters -= 1;
  return cut();
}
