/**
 * For each alert: series under which it fires, and series under which it does not, in promtool's
 * notation (`a+bxn`: a, then n times b more, one a minute).
 */
export interface AlertCase {
  alert: string;
  /** Labels of the firing alert, besides its severity and those of `of`. */
  labels?: Record<string, string>;
  /**
   * What the alert is about: an installation, which has a namespace and a job, unless stated. The
   * test adds these labels to the series.
   */
  of?: 'installation' | 'namespace' | 'everything';
  severity: 'page' | 'ticket';
  fires: Record<string, string>;
  quiet: Record<string, string>;
  /** The time of the evaluation. `7h` suits a window of that length. */
  at: string;
}
