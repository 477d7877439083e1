/**
 * What hostile input costs each parser, as a ratio to `JSON.parse` of as many bytes of ordinary
 * objects: `node bench/parse-cost.ts [KiB] [parser]`. Prints the worst shape of each parser, and
 * every one over 2. The fastest of many runs counts, so that other work on the machine matters
 * little.
 */
import { hostileJson, ordinary } from './parse-cost/hostile-json.ts';
import { type Parser, hostileTexts, jsonParsers, textParsers } from './parse-cost/parsers.ts';

const [kib = '512', only] = process.argv.slice(2);
const BYTES = Number(kib) * 1024;
const RUNS = 40;
const RATIO_SHOWN = 2;

/** Milliseconds of the fastest run. */
function fastest(run: () => unknown): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < RUNS; i++) {
    const startedMs = performance.now();
    try {
      run();
    } catch {
      // Refused, which is an answer.
    }
    best = Math.min(best, performance.now() - startedMs);
  }
  return best;
}

const measure = ordinary(BYTES);
const measureBytes = Buffer.from(measure);
const msPerByte = fastest(() => JSON.parse(measureBytes.toString())) / measureBytes.length;
console.log(`ordinary objects: ${(msPerByte * 1e6).toFixed(2)} ns a byte, ${kib} KiB each\n`);

type Shapes = Readonly<Record<string, (bytes: number) => string>>;

function report(parser: string, { body = (json) => json, read }: Parser, shapes: Shapes): void {
  if (only !== undefined && only !== parser) return;
  const costs = Object.entries({ ordinary, ...shapes }).map(([shape, make]) => {
    const bytes = Buffer.from(body(make(BYTES)));
    const ms = fastest(() => read(bytes));
    return { shape, ms, ratio: ms / (msPerByte * bytes.length) };
  });
  const sorted = costs.toSorted((a, b) => b.ratio - a.ratio);
  for (const [place, { shape, ms, ratio }] of sorted.entries()) {
    if (place > 0 && ratio <= RATIO_SHOWN) break;
    console.log(
      `${ratio.toFixed(2).padStart(6)} x  ${ms.toFixed(2).padStart(8)} ms  ${parser}: ${shape}`,
    );
  }
}

for (const [name, parser] of Object.entries(jsonParsers)) report(name, parser, hostileJson);
for (const [name, parser] of Object.entries(textParsers)) report(name, parser, hostileTexts);
