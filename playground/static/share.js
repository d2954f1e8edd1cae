// Buttons that copy a link which shows the result of runs to others. The server writes it.

import { ask } from "./ask.js";
import { copy } from "./copy.js";
import { resultAddress } from "./links.js";
import { session } from "./session.js";
import { hand, say } from "./toast.js";

export const MOST = 4; // runs in a link
const COPIED_MS = 1800;
const OWN = "Copied. Your own text does not travel with it, but the sample that the model wrote of it does.";
const AWAY = "There is no link: the server is away, or the runs are gone.";

// `runs()` are the ids of the runs that are shared.
export function bindShare(button, runs) {
  const label = button.textContent;
  button.addEventListener("click", async () => {
    button.disabled = true;
    const answer = ask("link", { visitor: session.visitor, runs: runs() });
    const address = answer.then((told) => {
      if (!told?.link) throw new Error(told?.refused || AWAY);
      return resultAddress(told.link);
    });
    let done = false, refused = "";
    try { done = await copy(address); } catch (error) { refused = error.message; }
    button.disabled = false;
    if (refused) { say(refused); return; }
    if (!done) { hand("The browser does not let this page copy. Here it is:", await address); return; }
    if ((await answer).own) say(OWN);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, COPIED_MS);
  });
}
