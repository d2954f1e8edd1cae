// How a text is cut: its first tokens in tints that alternate, as the server's check gives them.

import { glyph } from "./inspect_words.js";
import { element, form, on, show, value } from "./state.js";

export function bindCut(root) {
  const figure = root.querySelector("#cut");
  on("checked", () => {
    const { cut, problems, vocab_size: different } = form.checked;
    figure.hidden = !cut;
    figure.classList.toggle("stale", Boolean(problems.length));
    if (!cut) return;
    const fewer = value("data.tokenizer") === "bpe" && different < value("data.vocab_size");
    const words = element("figcaption"), text = element("p", "cut-text");
    words.append(element("b", "", show(cut.tokens)), " tokens · ", element("b", "", cut.characters.toFixed(2)),
      ` characters each${fewer ? ` · only ${show(different)} different: no other pair comes twice` : ""}`);
    text.setAttribute("aria-label", `The text begins: ${cut.first.map((token) => `“${token}”`).join(" ")}`);
    text.setAttribute("role", "img");
    text.append(...cut.first.flatMap((token) => {
      const piece = element("span", token.startsWith("\\x") ? "byte" : "", written(token));
      piece.title = written(token);
      return token.endsWith("\n") ? [piece, element("br")] : [piece];
    }));
    figure.replaceChildren(words, text);
  });
}

// Spaces within and before words stay spaces: their tint shows them.
const written = (token) => (/^ +$/.test(token) ? "␣".repeat(token.length) : [...token].map((c) => (c === " " ? c : glyph(c))).join(""));
