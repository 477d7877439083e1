/**
 * A stack frame in Sentry's format
 * (https://develop.sentry.dev/sdk/data-model/event-payloads/stacktrace/).
 */
export interface ErrorFrame {
  filename: string;
  function?: string;
  lineno: number;
  colno: number;
  /** Code of the product, not of a library or of Node. */
  in_app: boolean;
}

const FRAMES_MAX = 50;
/**
 * Matches only frames that V8 writes for code in a file. No other line is read: a message may
 * contain anything.
 */
const LINE =
  /^ {4}at (?:(?:async )?([\w.<>#$ [\]]+) \()?((?:file:\/\/|node:|\/)[^\s():]+):(\d+):(\d+)\)?$/;

/**
 * The frames of an error, the outermost first, without its message. Paths begin at `src/` or
 * `node_modules/`.
 */
export function errorFrames(error: Error): ErrorFrame[] {
  const stack = error.stack ?? '';
  const head = `${error.name}: ${error.message}`;
  // A message may contain lines that look like frames.
  const trace = stack.startsWith(head) ? stack.slice(head.length) : stack;
  const frames: ErrorFrame[] = [];
  for (const line of trace.split('\n')) {
    const [, name, path, lineno, colno] = LINE.exec(line) ?? [];
    if (path === undefined) continue;
    const filename = shortPath(path);
    frames.push({
      filename,
      ...(name === undefined ? {} : { function: name }),
      lineno: Number(lineno),
      colno: Number(colno),
      in_app: filename.startsWith('src/'),
    });
    if (frames.length === FRAMES_MAX) break;
  }
  return frames.toReversed();
}

function shortPath(path: string): string {
  if (path.startsWith('node:')) return path;
  const library = path.lastIndexOf('/node_modules/');
  if (library >= 0) return path.slice(library + 1);
  const own = path.lastIndexOf('/src/');
  return own >= 0 ? path.slice(own + 1) : (path.split('/').at(-1) ?? '');
}
