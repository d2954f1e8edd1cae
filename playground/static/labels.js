// Words at the ends of curves and lines, instead of a legend: placed by importance, moved apart where they would meet.

const LINE = 15; // px between two labels
const MARGIN = 6;
const LETTERS = 24; // of a label, at most

const ruler = document.createElement("canvas").getContext("2d");

// Labels are {x, y, text, colour, strong, atEdge}, x and y in px within the plot; the first is the most important.
// `room` px lie to the right of it. Returns them with `dy`, the px by which each moves, and shortened where they would
// be cut; those for which there is no place near by are left out.
export function place(labels, { width, room, height, font }) {
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

// Plotly reads a little HTML in texts: nothing that a visitor or a text has named may be taken for it.
export const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

// As much of `text` as `room` px hold, in the ruler's font.
function fitted(text, room, most) {
  let letters = Math.min(text.length, most);
  const cut = () => (letters < text.length ? `${text.slice(0, letters).trimEnd()}…` : text);
  while (letters > 3 && ruler.measureText(cut()).width > room) letters -= 1;
  return cut();
}
