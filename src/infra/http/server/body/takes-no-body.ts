/** Whether the body of a route with this schema is optional. Without a schema no body is read. */
export function takesNoBody(body: unknown): boolean {
  const { anyOf = [] } = (body ?? { anyOf: [{ type: 'null' }] }) as { anyOf?: { type?: string }[] };
  return anyOf.some(({ type }) => type === 'null');
}
