// Elements of a drawing.

const SVG = "http://www.w3.org/2000/svg";

export function make(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, wanted] of Object.entries(attributes)) made.setAttribute(name, wanted);
  return made;
}

export function text(x, y, words, classes) {
  const made = make("text", { x, y, class: classes });
  made.textContent = words;
  return made;
}
