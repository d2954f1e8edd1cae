// A line at the foot of the page that offers to undo what was just done, for a while.

import { element } from "./state.js";

const LASTS_MS = 10000;

let toast = null, timer = null, undo = null;

export function offerUndo(words, action) {
  say(words);
  undo = action;
  const button = element("button", "", "Undo");
  button.type = "button";
  button.title = "Ctrl+Z";
  button.addEventListener("click", takeBack);
  toast.append(button);
}

// Words alone, as when something was refused.
export function say(words) {
  if (!toast) toast = build();
  undo = null;
  toast.replaceChildren(element("p", "", words));
  toast.hidden = false;
  wait();
}

// Words, and a text to be copied by hand.
export function hand(words, text) {
  say(words);
  const field = element("input");
  Object.assign(field, { readOnly: true, value: text });
  field.setAttribute("aria-label", words);
  toast.append(field);
  field.select();
}

function build() {
  const made = element("div", "toast");
  made.setAttribute("role", "status");
  for (const event of ["pointerenter", "focusin"]) made.addEventListener(event, () => clearTimeout(timer));
  for (const event of ["pointerleave", "focusout"]) made.addEventListener(event, wait);
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|TEXTAREA)$/.test(document.activeElement?.tagName) && document.activeElement.type !== "checkbox";
    if (undo && !typing && (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z") {
      event.preventDefault();
      takeBack();
    }
  });
  (document.querySelector(".gradio-container") || document.body).append(made);
  return made;
}

function wait() {
  clearTimeout(timer);
  timer = setTimeout(hide, LASTS_MS);
}

function hide() {
  undo = null;
  toast.hidden = true;
}

function takeBack() {
  const action = undo;
  hide();
  action?.();
}
