// Formulas as the browser's own: trees of playground/mathml.py, [tag, {attribute: text}, child, ...], become elements.

const MATHML = "http://www.w3.org/1998/Math/MathML";

export function math([tag, ...rest], display = "inline") {
  const made = document.createElementNS(MATHML, tag);
  if (tag === "math") made.setAttribute("display", display);
  for (const piece of rest) {
    if (typeof piece === "string") made.textContent = piece;
    else if (Array.isArray(piece)) made.append(math(piece));
    else for (const [name, text] of Object.entries(piece)) made.setAttribute(name, text);
  }
  return made;
}
