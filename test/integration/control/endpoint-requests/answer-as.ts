import type { EndpointRequest, EndpointRequestAnswer } from '#wire/endpoint-request.ts';
import { decodeEndpointRequest } from '#wire/endpoint-request.ts';
import { subjects } from '#wire/subjects.ts';
import type { ControlPlane } from '../control-plane.ts';

/** An attempt without its result. */
export const ATTEMPT = { id: 'att_1', no: 1, startedMs: 0, durationMs: 1.5, worker: 'w1' };

/** Answers in place of a worker; returns the requests. */
export async function answerAs(
  { nc }: ControlPlane,
  answer: EndpointRequestAnswer | (() => Promise<EndpointRequestAnswer>),
): Promise<EndpointRequest[]> {
  const requests: EndpointRequest[] = [];
  nc.subscribe(subjects.endpointRequests, {
    callback: (_error, message) => {
      requests.push(decodeEndpointRequest(message.data));
      const answers = typeof answer === 'function' ? answer() : Promise.resolve(answer);
      void answers.then((given) => message.respond(JSON.stringify(given)));
    },
  });
  await nc.flush();
  return requests;
}

/** Creates an endpoint, and its tenant; returns its path. */
export async function createEndpoint(
  plane: ControlPlane,
  tenant = 'acme',
  more: object = {},
): Promise<string> {
  await plane.call('PUT', `/v1/tenants/${tenant}`, {});
  const made = await plane.call('POST', `/v1/tenants/${tenant}/endpoints`, {
    url: 'https://example.com/hooks',
    ...more,
  });
  return `/v1/tenants/${tenant}/endpoints/${String(made.body.id)}`;
}
