/** `high`: overtakes the backlog of its own tenant (IN-11). */
export const priorities = ['high', 'normal'] as const;
export type Priority = (typeof priorities)[number];

/** Whether it is the name of a priority. */
export function isPriority(value: unknown): value is Priority {
  return priorities.includes(value as Priority);
}
