/** The status of a stored event, by the number of deliveries that its routing made. */
export const eventStatuses = ['accepted', 'matched', 'unmatched'] as const;
export type EventStatus = (typeof eventStatuses)[number];
