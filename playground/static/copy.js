// Text to the clipboard; whether it is there. Where a frame or a plain address forbids the new way, the old one may work.

import { element } from "./state.js";

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { return copySelected(text); }
}

function copySelected(text) {
  const area = element("textarea", "hush"), before = document.activeElement;
  area.value = text;
  document.body.append(area);
  area.select();
  try { return document.execCommand("copy"); } catch { return false; } finally { area.remove(); before?.focus(); }
}
