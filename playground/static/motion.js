// Quiet motion, and none for those who want none.

export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export const bring = (element) => element?.scrollIntoView({ block: "start", behavior: still() ? "auto" : "smooth" });

// Moves the row alone, never the page.
export const centre = (button, row) =>
  row.scrollTo({ left: button.offsetLeft - row.clientWidth / 2 + button.offsetWidth / 2 });
