// Plotly's library, which the chart fetches: resolves once it is there.

const LOOK_MS = 100;

export const plotly = () => new Promise((resolve) => {
  const look = () => (window.Plotly ? resolve(window.Plotly) : setTimeout(look, LOOK_MS));
  look();
});
