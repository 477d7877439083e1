/** Serves the page of each error code, to which the `type` of a problem refers (RFC 9457). */
import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { errorCatalogue, type ErrorCode } from '#domain/errors.ts';
import { notFound } from '#domain/field-faults.ts';
import { strict } from '#wire/api/fields.ts';
import { problemAnswers } from '#wire/api/problem.ts';
import { answer } from '#wire/openapi/describe.ts';
import { ERROR_PAGES } from '#wire/problem.ts';
import { errorSection } from './error-sections.ts';
import { PAGE_STYLE, renderSection } from './render-section.ts';

const STYLE_DIGEST = createHash('sha256').update(PAGE_STYLE).digest('base64');
const PAGE_CSP = `default-src 'none'; style-src 'sha256-${STYLE_DIGEST}'; frame-ancestors 'none'`;
const CODE_LENGTH_MAX = 64;

/** The schema of the route, in the API reference too. */
export const errorPageSchema = {
  operationId: 'getErrorPage',
  summary: 'Read the page of an error code',
  description:
    'The page to which the `type` of a problem refers: what happened, and what to do. Needs no key. ' +
    'It is Markdown, and HTML for a browser (`Accept: text/html`).',
  tags: ['Operations'],
  security: [],
  params: Type.Object(
    {
      code: Type.String({
        minLength: 1,
        maxLength: CODE_LENGTH_MAX,
        description: 'Error code.',
        examples: ['POSTHORN_REQUEST_INVALID'],
      }),
    },
    strict,
  ),
  response: {
    200: answer(
      Type.String({
        examples: ['# POSTHORN_REQUEST_INVALID\n\n**400** The request is not valid.'],
      }),
      { description: 'The page.', mediaType: 'text/markdown' },
    ),
    ...problemAnswers,
  },
};

export function registerErrorPages(app: FastifyInstance): void {
  app.get(`${ERROR_PAGES}:code`, { schema: errorPageSchema }, (request, reply) => {
    const { code } = request.params as { code: string };
    if (!isErrorCode(code)) throw notFound('error code', code);
    const section = errorSection(code);
    reply.header('vary', 'accept');
    if (!wantsHtml(request.headers.accept)) {
      reply.header('content-type', 'text/markdown; charset=utf-8');
      reply.send(`# ${code}\n\n${section}\n`);
      return;
    }
    reply.header('content-security-policy', PAGE_CSP);
    reply.header('content-type', 'text/html; charset=utf-8');
    reply.send(renderSection(code, section));
  });
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCatalogue, code);
}

/** A browser names HTML; programs and agents accept everything. */
function wantsHtml(accept: string | undefined): boolean {
  return accept?.split(',').some((range) => /^\s*text\/html\s*(;|$)/i.test(range)) ?? false;
}
