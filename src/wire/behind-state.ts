/**
 * The tenants of a shard that are behind (docs/fairness.md): the value of the shard's key in the
 * bucket BEHIND. The router that owns the shard writes it; its successor and control read it.
 */
export interface BehindTenantState {
  /** Sequence in EV-k: no earlier event of the tenant was acked unrouted. */
  since: number;
  /** The tenant's events from `since` on and before this sequence are routed. */
  from: number;
  /** Events that were acked and are not routed yet; approximate after a takeover. */
  waiting: number;
}

export interface BehindState {
  /** Names one ownership of the shard: only its owner writes again. */
  owner: string;
  /** By life id. */
  tenants: Record<string, BehindTenantState>;
}

export function encodeBehindState(state: BehindState): Buffer {
  return Buffer.from(JSON.stringify(state));
}

/** @throws SyntaxError */
export function decodeBehindState(data: Uint8Array): BehindState {
  return JSON.parse(Buffer.from(data).toString()) as BehindState;
}
