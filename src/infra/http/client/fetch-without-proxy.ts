import { Agent, fetch } from 'undici';

export interface DirectRequest {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  /** The authorities that sign the server's certificate, as PEM. Undefined: the public ones. */
  ca?: string | undefined;
  /** Time limit of the whole exchange. */
  timeoutMs: number;
}

export interface DirectAnswer {
  status: number;
  /** Whether the status is 2xx. */
  ok: boolean;
  text: string;
}

/**
 * Sends a request to another part of this installation and reads the whole answer. It never uses a
 * proxy: with `NODE_USE_ENV_PROXY=1` the global `fetch` and the agents of `node:http` would send
 * the request, with the platform key in it, to the proxy of `HTTP_PROXY`, for loopback addresses
 * too.
 *
 * @throws the error of the connection, or a TimeoutError
 */
export async function fetchWithoutProxy(
  url: string,
  request: DirectRequest,
): Promise<DirectAnswer> {
  const { timeoutMs, method = 'GET', headers = {}, body = null, ca } = request;
  const dispatcher = new Agent(ca === undefined ? {} : { connect: { ca } });
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetch(url, { method, headers, body, signal, dispatcher });
    return { status: response.status, ok: response.ok, text: await response.text() };
  } finally {
    await dispatcher.destroy();
  }
}
