// Sliders: 1000 positions for any range, evenly or logarithmically, snapped to values people would type.

const POSITIONS = 1000;

export function toPosition(option, value) {
  if (typeof value !== "number" || (option.zero && value === 0)) return 0;
  const { low, high, log } = option;
  const share = log ? Math.log(value / floor(option)) / Math.log(high / floor(option)) : (value - low) / (high - low);
  return Math.round(POSITIONS * Math.min(1, Math.max(0, share)));
}

export function toValue(option, position) {
  if (position === 0) return option.zero ? 0 : option.low;
  const { low, high, log } = option, share = position / POSITIONS;
  const value = log ? floor(option) * (high / floor(option)) ** share : low + share * (high - low);
  return Math.min(high, Math.max(low, snap(option, value)));
}

const floor = (option) => Math.max(option.low, option.integer ? 1 : 1e-9);

function snap(option, value) {
  const { integer, log, low, high } = option;
  if (log) {
    const rounded = +value.toPrecision(value >= 100 || !integer ? 2 : 3);
    return integer ? Math.round(rounded) : rounded;
  }
  if (integer) {
    const span = high - low, grid = span > 512 ? (span > 5000 ? 50 : 8) : 1;
    return Math.round(value / grid) * grid;
  }
  const grid = high > 10 ? 1 : high > 1 ? 0.05 : 0.01;
  return +(Math.round(value / grid) * grid).toFixed(4);
}
