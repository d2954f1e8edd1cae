// Quiet motion, and none for those who want none.

export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export const bring = (element) => element?.scrollIntoView({ block: "start", behavior: still() ? "auto" : "smooth" });
