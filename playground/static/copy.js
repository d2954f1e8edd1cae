// Text to the clipboard; whether it is there. Where a frame or a plain address forbids the new way, the old one may work.

import { element } from "./state.js";

// `text` may be a promise: a browser that lets pages copy only right after a press is given it before it is known.
export async function copy(text) {
  try {
    if (typeof text === "string") await navigator.clipboard.writeText(text);
    else await navigator.clipboard.write([new ClipboardItem({ "text/plain": text.then(asBlob) })]);
    return true;
  } catch { return copySelected(await text); }
}

const asBlob = (text) => new Blob([text], { type: "text/plain" });

function copySelected(text) {
  const area = element("textarea", "hush"), before = document.activeElement;
  area.value = text;
  document.body.append(area);
  area.select();
  try { return document.execCommand("copy"); } catch { return false; } finally { area.remove(); before?.focus(); }
}
