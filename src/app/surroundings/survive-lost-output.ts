/**
 * Keeps a process running when its standard output or error can no longer be written: the reader of
 * a pipe has ended (`npm start | head`), the terminal was closed, or the disk of the log is full.
 * Later output is lost.
 */
export function surviveLostOutput(streams: readonly NodeJS.WritableStream[]): void {
  for (const stream of streams) stream.on('error', () => undefined);
}
