import { api } from './api.ts';
import { delivery } from './delivery.ts';
import { history } from './history.ts';
import { mongodb } from './mongodb.ts';
import { nats } from './nats.ts';
import { overview } from './overview.ts';
import { processes } from './processes.ts';
import { queues } from './queues.ts';
import type { Dashboard } from './panel.ts';

export const dashboards: readonly Dashboard[] = [
  overview,
  api,
  delivery,
  queues,
  history,
  processes,
  nats,
  mongodb,
];
