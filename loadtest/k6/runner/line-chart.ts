/** Draws a line chart as SVG, for a page without external resources. */
export interface Line {
  name: string;
  colour: string;
  /** `[x, y]`, in ascending order of x. */
  points: readonly (readonly [number, number])[];
}

const WIDTH = 900;
const HEIGHT = 220;
const LEFT = 60;
const BOTTOM = 24;
const TOP = 10;
const STEPS = 4;

/** @param unit of the y axis */
export function lineChart(title: string, unit: string, lines: readonly Line[]): string {
  const all = lines.flatMap(({ points }) => points);
  const xMax = Math.max(1, ...all.map(([x]) => x));
  const yMax = niceMax(Math.max(0, ...all.map(([, y]) => y)));
  const toX = (x: number) => LEFT + (x / xMax) * (WIDTH - LEFT - 10);
  const toY = (y: number) => TOP + (1 - y / yMax) * (HEIGHT - TOP - BOTTOM);
  const grid = Array.from({ length: STEPS + 1 }, (_, i) => {
    const value = (yMax / STEPS) * i;
    const y = toY(value).toFixed(1);
    return `<line x1="${LEFT}" x2="${WIDTH - 10}" y1="${y}" y2="${y}" stroke="#ddd"/><text x="${LEFT - 6}" y="${y}" text-anchor="end" dominant-baseline="middle">${Number(value.toPrecision(3))}</text>`;
  });
  const marks = Array.from({ length: 7 }, (_, i) => {
    const x = (xMax / 6) * i;
    return `<text x="${toX(x).toFixed(1)}" y="${HEIGHT - 6}" text-anchor="middle">${Math.round(x)} s</text>`;
  });
  const paths = lines.map(({ colour, points }) => {
    const at = points.map(([x, y]) => `${toX(x).toFixed(1)},${toY(y).toFixed(1)}`).join(' ');
    return `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${at}"/>`;
  });
  const legend = lines
    .map(({ name, colour }) => `<span style="color:${colour}">■ ${name}</span>`)
    .join(' ');
  return `<h2>${title} <small>${unit} · ${legend}</small></h2>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}">${[...grid, ...marks, ...paths].join('')}</svg>`;
}

/** The next 1, 2 or 5 times a power of ten. */
function niceMax(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value) ?? value;
}
