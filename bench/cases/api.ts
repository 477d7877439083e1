/** The public API, as a producer and an operator use it. */
import { Pool } from 'undici';
import { KEY, type System } from '../system.ts';

export class Api {
  private readonly pool: Pool;

  constructor(system: System, connections = 32) {
    this.pool = new Pool(system.base, { connections });
  }

  /** @throws Error with the answer's body if the status is not 2xx */
  async call<T>(method: 'GET' | 'PUT' | 'POST', path: string, body?: unknown): Promise<T> {
    const { statusCode, body: answer } = await this.pool.request({
      method,
      path,
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (statusCode >= 300) throw new Error(`${method} ${path}: ${statusCode} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  async close(): Promise<void> {
    await this.pool.destroy();
  }
}

/** Runs `work` for 0 to `count - 1`, `atOnce` of them at a time. */
export async function inParallel(
  count: number,
  atOnce: number,
  work: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}
