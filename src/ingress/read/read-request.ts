/** Reads the one event of an HTTP request, in the form that its headers name. */
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { PosthornError } from '#domain/errors.ts';
import { type JsonNode, LEAF, type Wanted } from '#domain/json/json-outline.ts';
import { checkRawHeaders, isBinaryMode, readBinaryEvent } from '../cloudevents/binary.ts';
import { isJsonPayload } from '../cloudevents/payload-bytes.ts';
import type { EventInput } from '#wire/published/event-input.ts';
import { readEventBody, readStructuredBody } from './read-body.ts';
import { wantedOfEvent } from '#wire/published/scan-body.ts';

const ONE_EVENT = ['application/json', 'application/cloudevents+json'];

/** The parts to find in the body of one event; undefined if it is not read as JSON. */
export function wantedOfOne(mediaType: string, headers: IncomingHttpHeaders): Wanted | undefined {
  if (mediaType !== 'application/cloudevents+json' && isBinaryMode(headers)) {
    return isJsonPayload(headers['content-type']) ? LEAF : undefined;
  }
  return mediaType.endsWith('json') ? wantedOfEvent : undefined;
}

/** @param outline of a large body, which was scanned before */
export function readOne(
  mediaType: string,
  { headers, raw }: FastifyRequest,
  body: Buffer,
  outline: JsonNode | undefined,
): EventInput {
  if (mediaType === 'application/cloudevents+json') return readStructuredBody(body, outline);
  if (isBinaryMode(headers)) {
    checkRawHeaders(raw.rawHeaders);
    return readBinaryEvent(headers, body, outline);
  }
  if (mediaType === 'application/json') return readEventBody(body, outline);
  throw unsupported(mediaType, [...ONE_EVENT, 'application/cloudevents-batch+json']);
}

export function unsupported(mediaType: string, supported: string[]): PosthornError {
  const detail = `${mediaType === '' ? 'no content type' : mediaType} is not supported; send ${supported.join(', ')}`;
  return new PosthornError('POSTHORN_MEDIA_TYPE_UNSUPPORTED', { detail });
}
