/**
 * Measures hostile schemas and data in plain Ajv and in our validator:
 * `node bench/schema-cost.ts`. Prints milliseconds to compile the schema and to validate the data.
 * Each case runs in its own thread, because plain Ajv needs over a minute for some.
 */
import { fileURLToPath } from 'node:url';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { compileSchema } from '#domain/json-schema/compile-schema.ts';
import { hostile } from '../test/unit/domain/json-schema/hostile-cases.ts';

const LIMIT_MS = 30_000;

interface Cost {
  readonly compileMs: number;
  readonly validateMs: number;
}

const engines: Readonly<Record<string, (schema: object) => (data: unknown) => unknown>> = {
  ajv: (schema) => new Ajv2020({ strict: false, logger: false }).compile(schema),
  posthorn: (schema) => compileSchema(schema as Record<string, unknown>),
};

function measure(engine: string, at: number): Cost {
  const [, schema, makeData] = hostile[at] as (typeof hostile)[number];
  const data = makeData();
  const startedMs = performance.now();
  const validate = (engines[engine] as NonNullable<(typeof engines)[string]>)(schema);
  const compiledMs = performance.now();
  validate(data);
  return { compileMs: compiledMs - startedMs, validateMs: performance.now() - compiledMs };
}

/** The cost of one case, or what stopped it. */
function measureInThread(engine: string, at: number): Promise<string> {
  return new Promise((resolve) => {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { engine, at } });
    const timer = setTimeout(() => {
      resolve(`not done after ${LIMIT_MS / 1000} s`);
      void worker.terminate();
    }, LIMIT_MS);
    worker.once('message', ({ compileMs, validateMs }: Cost) => {
      clearTimeout(timer);
      resolve(`${compileMs.toFixed(0)} + ${validateMs.toFixed(0)} ms`);
    });
    worker.once('error', (error) => {
      clearTimeout(timer);
      resolve(error.message.slice(0, 60));
    });
  });
}

if (isMainThread) {
  console.log('| case | plain Ajv | Posthorn |\n| --- | --- | --- |');
  for (const [at, [name]] of hostile.entries()) {
    const cells = [await measureInThread('ajv', at), await measureInThread('posthorn', at)];
    console.log(`| ${name} | ${cells.join(' | ')} |`);
  }
} else {
  const { engine, at } = workerData as { engine: string; at: number };
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origin
  parentPort?.postMessage(measure(engine, at));
}
