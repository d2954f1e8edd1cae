// Words at the ends of curves and lines, instead of a legend: placed by importance, moved apart where they would meet.

const LINE = 15; // px between two labels
const MARGIN = 6;

const ruler = document.createElement("canvas").getContext("2d");

// Labels are {x, y, text, colour, strong, atEdge}, x and y in px within the plot; the first is the most important.
// Returns them with `dy`, the px by which each moves; those for which there is no place near by are left out.
export function place(labels, { width, height, font }) {
  const placed = [];
  for (const label of labels) {
    ruler.font = `${label.strong ? "600 " : ""}12px ${font}`;
    const wide = ruler.measureText(label.text).width + 4, left = label.atEdge ? width + MARGIN : label.x + MARGIN + 2;
    const offsets = [0, ...[1, 2, 3, 4].flatMap((n) => [-n * LINE, n * LINE])];
    for (const dy of offsets) {
      const y = label.y + dy;
      const meets = placed.some((other) => Math.abs(other.y - y) < LINE - 1 && left < other.left + other.wide && other.left < left + wide);
      if (y < 2 || y > height - 4 || meets) continue;
      placed.push({ ...label, dy, y, left, wide });
      break;
    }
  }
  return placed;
}

// Plotly reads a little HTML in texts: nothing that a visitor or a text has named may be taken for it.
export const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

export const short = (text, letters = 17) => (text.length > letters ? `${text.slice(0, letters - 1)}…` : text);
