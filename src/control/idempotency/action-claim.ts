/**
 * The claim of an action under an `Idempotency-Key` that cannot be part of a transaction, because
 * it publishes to JetStream or changes many documents. The action stores a note of its intent
 * first. After a crash or a fault of a server, a repeat takes the claim over, reads the note and
 * continues the action instead of starting a second one.
 */
export interface ActionClaim {
  /** The same in every run of the action. */
  id: string;
  /** Set if an earlier run ended without an answer. */
  earlier?: EarlierRun;
  /**
   * Stores the note, confirms that this run still holds the claim, and prolongs it.
   *
   * @throws PosthornError POSTHORN_IDEMPOTENCY_KEY_BUSY if another request took the claim over
   */
  note(text: string): Promise<void>;
}

export interface EarlierRun {
  /** When the first run began, ms since 1970. */
  startedMs: number;
  /** What the action noted last; undefined: it has done nothing. */
  note: string | undefined;
}
