import type { FastifyInstance, FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { strict } from '#wire/api/fields.ts';
import { PAYLOAD_OWNER_LENGTH_MAX, PAYLOAD_OWNER_PATTERN } from '#wire/webhook/payload-link.ts';
import { eventParams } from '#wire/api/event.ts';
import { answer } from '#wire/openapi/describe.ts';
import { problemAnswers, problems } from '#wire/api/problem.ts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { Api } from './access.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import type { PayloadReads, ReadPayload } from '../history/payload-reads.ts';

const tags = ['Events'];
const PAYLOAD_ID_LENGTH = 'pay_'.length + 26;

const payloadAnswer = {
  200: answer(Type.String({ format: 'binary', examples: ['{"amount":12.5}'] }), {
    description: 'The bytes of `data`, in its own media type.',
    headers: ['content-disposition'],
    mediaType: '*/*',
  }),
  ...problemAnswers,
};

/** Route with required access: the payload of an event. */
export function registerEventPayloadRoute(
  api: Api,
  { lives, payloads }: { lives: CurrentLives; payloads: PayloadReads },
): void {
  api.get(
    '/v1/tenants/:tenant/events/:event/payload',
    {
      exposeHeadRoute: false,
      config: { access: 'read' },
      schema: {
        operationId: 'getEventPayload',
        summary: 'Read the data of a large event',
        description: 'Answers with the bytes of `data` of an event whose `payload` is not null.',
        tags,
        params: eventParams,
        response: { ...payloadAnswer, ...problems(410) },
      },
    },
    async (request, reply) => {
      const { tenant, event } = request.params;
      return send(reply, await payloads.ofEvent(await lives.of(tenant), event));
    },
  );
}

/** Route without an API key: the signature of the link authorizes the request. */
export function registerPayloadLinkRoute(app: FastifyInstance, payloads: PayloadReads): void {
  app.withTypeProvider<TypeBoxTypeProvider>().get(
    '/v1/payloads/:tenant/:payload',
    {
      exposeHeadRoute: false,
      schema: {
        operationId: 'getPayload',
        summary: 'Read a large payload with the link from its webhook',
        description: 'Needs no API key: the link contains a signature and its expiry time.',
        tags,
        security: [],
        params: Type.Object(
          {
            tenant: Type.String({
              pattern: PAYLOAD_OWNER_PATTERN,
              maxLength: PAYLOAD_OWNER_LENGTH_MAX,
              description: 'Owner of the payload, from the link.',
              examples: ['acme'],
            }),
            payload: Type.String({
              pattern: '^pay_[0-9a-z]{26}$',
              maxLength: PAYLOAD_ID_LENGTH,
              description: 'Id of the payload.',
              examples: ['pay_01k3v9h2c8m4n6p8q0r2s4t6v8'],
            }),
          },
          strict,
        ),
        querystring: Type.Object(
          {
            expires: Type.String({
              pattern: '^[0-9]+$',
              minLength: 1,
              maxLength: 12,
              description: 'When the link expires, in seconds since 1970.',
              examples: ['1795219200'],
            }),
            signature: Type.String({
              maxLength: 64,
              description: 'Signature of the path and the expiry time.',
              examples: ['K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN_H_pI4'],
            }),
          },
          strict,
        ),
        response: { ...payloadAnswer, ...problems(403, 410) },
      },
    },
    async (request, reply) => {
      const { tenant, payload } = request.params;
      const { expires, signature } = request.query;
      const read = await payloads.byLink(`${tenant}/${payload}`, expires, signature);
      return send(reply, read);
    },
  );
}

/**
 * A producer chose the bytes and the media type: a browser must neither run nor sniff them (OWASP
 * file upload cheat sheet).
 */
function send(reply: FastifyReply, { bytes, contentType, release }: ReadPayload): never {
  reply.raw.once('close', release);
  reply.header('content-type', contentType);
  reply.header('content-length', bytes.length);
  reply.header('content-disposition', 'attachment');
  return reply.send(bytes) as never;
}
