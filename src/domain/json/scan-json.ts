import { isUtf8 } from 'node:buffer';
import type { JsonBounds } from './json-bounds.ts';
import { JsonFault } from './json-fault.ts';
import type { JsonNode, Wanted } from './json-outline.ts';
import { JsonScanner } from './json-scanner.ts';

/**
 * A scanner for bytes from outside.
 *
 * @throws JsonFault for bytes that are not UTF-8
 */
export function newJsonScanner(bytes: Buffer, wanted?: Wanted, bounds?: JsonBounds): JsonScanner {
  if (!isUtf8(bytes)) throw new JsonFault('syntax', 'not UTF-8', '');
  return new JsonScanner(bytes, wanted, bounds);
}

/**
 * Validates a JSON text and finds the wanted parts.
 *
 * @throws JsonFault
 */
export function scanJson(bytes: Buffer, wanted?: Wanted, bounds?: JsonBounds): JsonNode {
  const scanner = newJsonScanner(bytes, wanted, bounds);
  scanner.read();
  return scanner.outline;
}
