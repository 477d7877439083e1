/** A panel of a dashboard: a question and the queries that answer it. */
export interface Panel {
  title: string;
  /** Advice for the reader, shown at the panel. */
  says?: string;
  /** A unit of Grafana: `s`, `cps`, `bytes`, `percentunit`, `short`. */
  unit: string;
  /** From which value on the panel is yellow, and red. Those of an alert, if there is one. */
  thresholds?: { warn?: number; alarm?: number };
  /** `stat` shows only the last value, in large type. */
  as?: 'timeseries' | 'stat';
  /** Each query with its legend, in which `{{label}}` is replaced by the value of the label. */
  queries: readonly (readonly [expr: string, legend: string])[];
}

/** A page of panels. `name` is the file name and the end of the uid, which links depend on. */
export interface Dashboard {
  name: string;
  title: string;
  /** Whether it also reads the brokers, which are in their own namespace. */
  readsBrokers?: boolean;
  panels: readonly Panel[];
}

const WIDTH = 24;
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
const SHAPES = { timeseries: { w: 12, h: 8 }, stat: { w: 6, h: 4 } } as const;

/**
 * Formats a dashboard as Grafana stores it (schema 39). Panels run from left to right and top to
 * bottom.
 */
export function renderDashboard({ name, title, panels, readsBrokers = false }: Dashboard): string {
  const at = { x: 0, y: 0, rowHeight: 0 };
  const placed = panels.map((panel, i) => {
    const { w, h } = SHAPES[panel.as ?? 'timeseries'];
    if (at.x + w > WIDTH || (at.rowHeight !== 0 && at.rowHeight !== h)) {
      Object.assign(at, { x: 0, y: at.y + at.rowHeight, rowHeight: 0 });
    }
    const gridPos = { h, w, x: at.x, y: at.y };
    Object.assign(at, { x: at.x + w, rowHeight: h });
    return { id: i + 1, ...renderPanel(panel), gridPos };
  });
  const dashboard = {
    uid: `posthorn-${name}`,
    title: `Posthorn: ${title}`,
    tags: ['posthorn'],
    timezone: 'utc',
    schemaVersion: 39,
    version: 1,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    links: [
      {
        type: 'dashboards',
        title: 'Posthorn',
        tags: ['posthorn'],
        asDropdown: true,
        includeVars: true,
        keepTime: true,
      },
    ],
    templating: { list: readsBrokers ? [...VARIABLES, BROKERS] : VARIABLES },
    annotations: { list: [DEPLOYMENTS] },
    panels: placed,
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}

function renderPanel({
  title,
  says,
  unit,
  as = 'timeseries',
  thresholds = {},
  queries,
}: Panel): object {
  const { warn, alarm } = thresholds;
  const hasThresholds = warn !== undefined || alarm !== undefined;
  const steps = [
    { color: 'green', value: null },
    ...(warn === undefined ? [] : [{ color: 'yellow', value: warn }]),
    ...(alarm === undefined ? [] : [{ color: 'red', value: alarm }]),
  ];
  const defaults = {
    unit,
    min: 0,
    ...(hasThresholds && { thresholds: { mode: 'absolute', steps } }),
    ...(hasThresholds && as !== 'stat' && { custom: { thresholdsStyle: { mode: 'line' } } }),
  };
  return {
    type: as,
    title,
    ...(says === undefined ? {} : { description: says }),
    datasource: DATASOURCE,
    fieldConfig: { defaults, overrides: [] },
    options:
      as === 'stat'
        ? { reduceOptions: { calcs: ['lastNotNull'] } }
        : { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi' } },
    targets: queries.map(([expr, legendFormat], i) => ({
      refId: String.fromCodePoint('A'.codePointAt(0)! + i),
      expr: ofOneInstallation(expr),
      legendFormat,
      datasource: DATASOURCE,
    })),
  };
}

/** The growth of a counter in a second, by some of its labels. */
export function rate(counter: string, by = ''): string {
  return `sum${by === '' ? '' : ` by (${by})`} (rate(${counter}[$__rate_interval]))`;
}

/** The 50th, 95th and 99th percentiles of a histogram. */
export function percentiles(histogram: string): [expr: string, legend: string][] {
  const buckets = rate(`${histogram}_bucket`, 'le');
  return [0.5, 0.95, 0.99].map((q) => [`histogram_quantile(${q}, ${buckets})`, `p${q * 100}`]);
}

/** A metric of the queues. Every process of the role control reports the same value. */
export function ofQueues(gauge: string, by: string): string {
  return `max by (${by}) (${gauge})`;
}

/** The namespace and the job of an installation: two of them are never added up. */
const INSTALLATION = 'namespace="$namespace",job="$job"';

/**
 * Restricts each metric of a query to the installation that the viewer chose. Metrics of Kubernetes
 * have its namespace only, and brokers their own namespace.
 */
export function ofOneInstallation(expr: string): string {
  return expr.replaceAll(
    /(?<![\w:])((?:posthorn|process|nodejs|kube|nats)[_:][\w:]+)(?:\{([^}]*)\})?/g,
    (_, name: string, matchers = '') => {
      const scope = name.startsWith('nats_')
        ? 'namespace="$brokers"'
        : name.startsWith('kube_')
          ? 'namespace="$namespace"'
          : INSTALLATION;
      return `${name}{${[scope, matchers].filter(Boolean).join(',')}}`;
    },
  );
}

function choice(name: string, label: string, query: string): object {
  return {
    name,
    label,
    type: 'query',
    datasource: DATASOURCE,
    query,
    definition: query,
    refresh: 2,
    sort: 1,
    multi: false,
    includeAll: false,
  };
}

const VARIABLES = [
  { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Prometheus' },
  choice('namespace', 'Namespace', 'label_values(posthorn_build_info, namespace)'),
  choice('job', 'Installation', 'label_values(posthorn_build_info{namespace="$namespace"}, job)'),
];
const BROKERS = choice(
  'brokers',
  'Namespace of NATS',
  'label_values(nats_varz_connections, namespace)',
);

const REVISIONS = `max by (revision) (posthorn_build_info{${INSTALLATION}}`;
/** Marks the five minutes after a process of a new revision was first seen. */
const DEPLOYMENTS = {
  name: 'Deployments',
  datasource: DATASOURCE,
  enable: true,
  iconColor: 'blue',
  expr: `${REVISIONS}) unless ${REVISIONS} offset 5m)`,
  step: '60s',
  titleFormat: 'Deployment',
  textFormat: '{{revision}}',
};
