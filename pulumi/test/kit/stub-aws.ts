/** Services of AWS on one local port, with the answers that a test gives. */
import { once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An answer: an object as JSON, text as XML, or an error by its code. */
export type StubAnswer = object | string | { error: string };
/** By operation, such as `GetServiceQuota`; a function gets the input. */
export type StubAnswers = Readonly<
  Record<string, StubAnswer | ((input: Record<string, unknown>) => StubAnswer)>
>;

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** JSON services name the operation in a header, query services in the form, EKS by the path. */
function operationOf(request: IncomingMessage, body: string): [string, Record<string, unknown>] {
  const target = request.headers['x-amz-target'];
  if (target !== undefined) {
    return [String(target).split('.').at(-1) ?? '', JSON.parse(body) as Record<string, unknown>];
  }
  const form = new URLSearchParams(body);
  const action = form.get('Action');
  if (action !== null) return [action, Object.fromEntries(form)];
  return [`${request.method} ${request.url?.split('?')[0]}`, {}];
}

export class StubAws {
  /** Operations that were asked for, in order. */
  readonly requested: string[] = [];
  readonly endpoint: string;
  private readonly server: Server;

  private constructor(server: Server) {
    this.server = server;
    this.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** The caller has to `close` it. */
  static async start(answers: StubAnswers): Promise<StubAws> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const stub = new StubAws(server);
    server.on('request', (request, response) => void stub.answer(request, response, answers));
    return stub;
  }

  private async answer(
    request: IncomingMessage,
    response: ServerResponse,
    answers: StubAnswers,
  ): Promise<void> {
    const [operation, input] = operationOf(request, await bodyOf(request));
    this.requested.push(operation);
    const known = answers[operation] ?? { error: `UnknownOperation ${operation}` };
    const answer = typeof known === 'function' ? known(input) : known;
    if (typeof answer === 'string') {
      response.writeHead(200, { 'content-type': 'text/xml' }).end(answer);
    } else if ('error' in answer) {
      const code = String(answer.error);
      const xml = `<ErrorResponse><Error><Code>${code}</Code></Error></ErrorResponse>`;
      const json = JSON.stringify({ __type: code, message: code });
      const body = input['Action'] === undefined ? json : xml;
      response.writeHead(400, { 'x-amzn-errortype': code }).end(body);
    } else {
      const type = 'application/x-amz-json-1.1';
      response.writeHead(200, { 'content-type': type }).end(JSON.stringify(answer));
    }
  }

  async close(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }
}
