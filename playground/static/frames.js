// Gradio's loading sign counts its seconds at every frame, and goes on when it has long been taken away: sixty times a second
// the browser would go through a page in which nothing has changed. Here it counts twice a second. Runs before Gradio.

const frame = window.requestAnimationFrame.bind(window);
const counts = (callback) => /performance\.now\(\)\s*-/.test(callback);
window.requestAnimationFrame = (callback) => (counts(callback) ? setTimeout(callback, 500) : frame(callback));
