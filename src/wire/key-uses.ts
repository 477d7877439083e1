/** Reports of when API keys were last used, from every process that accepts keys to control. */

export interface KeyUse {
  /** Key id. */
  id: string;
  atMs: number;
}

export function encodeKeyUses(uses: readonly KeyUse[]): string {
  return JSON.stringify(uses.map(({ id, atMs }) => [id, atMs]));
}

/** @throws SyntaxError if it is not a report */
export function decodeKeyUses(text: string): KeyUse[] {
  const rows: unknown = JSON.parse(text);
  if (!Array.isArray(rows)) throw new SyntaxError('not a report of key uses');
  return rows.map((row: unknown) => {
    const [id, atMs] = Array.isArray(row) ? (row as unknown[]) : [];
    if (typeof id !== 'string' || typeof atMs !== 'number') {
      throw new SyntaxError('not a use of a key');
    }
    return { id, atMs };
  });
}
