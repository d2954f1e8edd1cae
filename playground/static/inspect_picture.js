// Attention as pixels: a row for each token that looks, a column for each one it looks at.

const LEGIBLE = 7.5, LARGEST = 11; // px of a cell from which on every token is named beside it; of its letters
const WIDEST = 26; // px of a cell
const MARGIN = 22; // px for the names
const FAINT = 0.055; // of the colour, where there was nothing to see but could be

const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

// [r, g, b] of a page's colour, which is six digits.
const parts = (name) => [1, 3, 5].map((i) => parseInt(colour(name).slice(i, i + 2), 16));

// A pattern in as many pixels as it has cells.
export function picture(canvas, pattern) {
  const { n, at } = pattern, [ground, ink] = [parts("--card"), parts("--c-attn")];
  canvas.width = canvas.height = n;
  const image = new ImageData(n, n);
  for (let row = 0; row < n; row++) {
    for (let column = 0; column < n; column++) {
      const share = at(row, column), strength = share === null ? 0 : FAINT + (1 - FAINT) * share, first = 4 * (row * n + column);
      for (let i = 0; i < 3; i++) image.data[first + i] = ground[i] + strength * (ink[i] - ground[i]);
      image.data[first + 3] = share === null ? 0 : 255;
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

const small = document.createElement("canvas");

// The same large, with the tokens along both sides and one row marked; `columns` are named in any case. Returns {cell, margin}, in px.
export function large(canvas, pattern, names, row, columns) {
  const { n } = pattern, room = canvas.parentElement.clientWidth;
  if (!room) return null;
  const scale = window.devicePixelRatio || 1, cell = Math.min(WIDEST, (room - MARGIN - 2) / n), side = n * cell;
  const pixels = Math.round((side + MARGIN + 2) * scale);
  canvas.width = canvas.height = pixels;
  canvas.style.width = canvas.style.height = `${pixels / scale}px`;
  const draw = canvas.getContext("2d");
  draw.scale(scale, scale);
  draw.imageSmoothingEnabled = false;
  picture(small, pattern);
  draw.drawImage(small, MARGIN, MARGIN, side, side);
  name(draw, names, cell, row, columns);
  explain(draw, MARGIN + side);
  draw.strokeStyle = colour("--ink");
  draw.lineWidth = 1.25;
  const first = pattern.first(row);
  draw.strokeRect(MARGIN + first * cell - 0.5, MARGIN + row * cell - 0.5, (row + 1 - first) * cell + 1, cell + 1);
  return { cell, margin: MARGIN };
}

// Every token, or where there is no room, the row's and what it looks at most.
function name(draw, names, cell, row, columns) {
  const every = cell >= LEGIBLE, size = Math.min(LARGEST, Math.max(9, cell));
  draw.font = `${size}px "IBM Plex Mono", monospace`;
  draw.textAlign = "center";
  draw.textBaseline = "middle";
  names.forEach((token, i) => {
    const strong = i === row, pointed = columns.includes(i);
    draw.fillStyle = colour(strong || pointed ? "--ink" : "--mut");
    const middle = MARGIN + (i + 0.5) * cell, short = token.length > 2 ? token.slice(-2) : token;
    if (every || strong) draw.fillText(short, MARGIN / 2, middle);
    if (every || pointed) draw.fillText(short, middle, MARGIN / 2);
  });
}

// How to read it, in the half that is always empty.
function explain(draw, right) {
  if (right < 200) return;
  draw.font = '12px "IBM Plex Sans", sans-serif';
  draw.textAlign = "right";
  draw.fillStyle = colour("--mut");
  ["Each row is a token,", "each column one it looks at."].forEach((words, n) => draw.fillText(words, right, MARGIN + 16 + 17 * n));
}
