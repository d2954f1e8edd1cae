// Python's comments, strings, keywords and numbers, told apart well enough to tint them: lines of [kind, text] pieces.

const KEYWORDS = "False None True and as assert async await break class continue def del elif else except finally for from "
  + "global if import in is lambda nonlocal not or pass raise return try while with yield";
const TOKENS = [
  ["string", /(?:\b[rbfu]{1,2})?(?:"""[^]*?(?:"""|$)|'''[^]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?)/],
  ["comment", /#[^\n]*/],
  ["number", /\b(?:0x[\da-f]+|\d[\d_]*(?:\.\d*)?(?:e[+-]?\d+)?)\b/],
  ["keyword", new RegExp(`\\b(?:${KEYWORDS.replaceAll(" ", "|")})\\b`)],
  ["defined", /(?<=\b(?:def|class) )\w+/],
];
const PATTERN = new RegExp(TOKENS.map(([kind, { source }]) => `(?<${kind}>${source})`).join("|"), "gi");

export function tint(text) {
  const lines = [[]];
  const add = (kind, piece) => piece.split("\n").forEach((part, i) => {
    if (i) lines.push([]);
    if (part) lines.at(-1).push([kind, part]);
  });
  let from = 0;
  for (const found of text.matchAll(PATTERN)) {
    const [kind] = Object.entries(found.groups).find(([, piece]) => piece !== undefined);
    add("", text.slice(from, found.index));
    add(kind === "keyword" && !KEYWORDS.split(" ").includes(found[0]) ? "" : kind, found[0]);
    from = found.index + found[0].length;
  }
  add("", text.slice(from));
  if (!lines.at(-1).length) lines.pop();
  return lines;
}
