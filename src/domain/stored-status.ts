/**
 * The form in which MongoDB and the bucket CONFIG keep the statuses of subscriptions and event
 * types: in upper case, as all processes of earlier versions write and read them.
 */
export type StoredStatus<S extends string> = Uppercase<S>;

/** Returns the stored form of a status. */
export function toStoredStatus<S extends string>(status: S): StoredStatus<S> {
  return status.toUpperCase() as StoredStatus<S>;
}

/** Returns the status of a stored form. */
export function fromStoredStatus<S extends string>(stored: StoredStatus<S>): S {
  return stored.toLowerCase() as S;
}
