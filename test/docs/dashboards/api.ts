import { type Dashboard, percentiles, rate } from './panel.ts';

const REQUESTS = 'posthorn_http_request_duration_seconds';
const failed = rate(`${REQUESTS}_count{status_class="5xx"}`);

export const api: Dashboard = {
  name: 'api',
  title: 'API',
  panels: [
    {
      title: 'Requests, by class of status',
      says: 'none: the client disconnected before the answer.',
      unit: 'cps',
      queries: [[rate(`${REQUESTS}_count`, 'status_class'), '{{status_class}}']],
    },
    {
      title: 'Answered with 5xx, of all requests',
      says: 'Over 5 % for 10 minutes pages.',
      unit: 'percentunit',
      thresholds: { warn: 0.01, alarm: 0.05 },
      queries: [[`${failed} / ${rate(`${REQUESTS}_count`)}`, '5xx']],
    },
    {
      title: 'Requests, by route',
      unit: 'cps',
      queries: [[rate(`${REQUESTS}_count`, 'method, route'), '{{method}} {{route}}']],
    },
    {
      title: 'Answered with 5xx, by route',
      unit: 'cps',
      queries: [
        [rate(`${REQUESTS}_count{status_class="5xx"}`, 'method, route'), '{{method}} {{route}}'],
      ],
    },
    {
      title: 'Refused by rate limits, by limit',
      unit: 'cps',
      queries: [[rate('posthorn_rate_limited_total', 'policy'), '{{policy}}']],
    },
    { title: 'How long requests take', unit: 's', queries: percentiles(REQUESTS) },
    {
      title: 'How long requests take, 99 of 100, by route',
      unit: 's',
      queries: [
        [
          `histogram_quantile(0.99, ${rate(`${REQUESTS}_bucket`, 'method, route, le')})`,
          '{{method}} {{route}}',
        ],
      ],
    },
    {
      title: 'From an accepted event to its storage',
      says: 'Over HTTP and over NATS, without the time in which the client sends its body.',
      unit: 's',
      thresholds: { warn: 1 },
      queries: percentiles('posthorn_ingress_publish_duration_seconds'),
    },
  ],
};
