/**
 * The metrics of other programs that rules and dashboards read: where they come from, and at which
 * pinned version they were looked up. A new version needs a look at its metrics.
 */
export interface MetricSource {
  /** The application of argocd/apps that brings the metrics, and its version there. */
  application: string;
  version: string;
  /** The documentation or source that names them. */
  from: string;
  metrics: readonly string[];
}

export const metricSources: readonly MetricSource[] = [
  {
    application: 'kube-prometheus-stack',
    version: '77.11.1',
    // kube-state-metrics 2.17
    from: 'https://github.com/kubernetes/kube-state-metrics/tree/v2.17.0/docs/metrics',
    metrics: [
      'kube_pod_container_status_restarts_total',
      'kube_statefulset_replicas',
      'kube_statefulset_status_replicas_ready',
      'kube_horizontalpodautoscaler_status_current_replicas',
      'kube_horizontalpodautoscaler_spec_max_replicas',
      'kube_horizontalpodautoscaler_spec_min_replicas',
      // Configured in argocd/apps/templates/_backup-metrics.tpl.
      'kube_customresource_psmdb_backup_completed',
    ],
  },
  {
    application: 'nats',
    version: '2.14.2',
    // The chart runs prometheus-nats-exporter with -prefix=nats, -varz and -jsz=all.
    from: 'https://github.com/nats-io/prometheus-nats-exporter/tree/main/collector',
    metrics: [
      'nats_server_jetstream_disabled',
      'nats_server_max_storage',
      'nats_server_total_message_bytes',
      'nats_stream_last_seq',
      'nats_varz_connections',
      'nats_varz_in_bytes',
      'nats_varz_in_msgs',
      'nats_varz_mem',
      'nats_varz_out_bytes',
      'nats_varz_out_msgs',
      'nats_varz_slow_consumers',
    ],
  },
  {
    application: 'cert-manager',
    version: 'v1.18.2',
    from: 'https://cert-manager.io/docs/devops-tips/prometheus-metrics/',
    metrics: ['certmanager_certificate_expiration_timestamp_seconds'],
  },
  {
    application: 'argocd',
    version: '9.1.0',
    from: 'https://argo-cd.readthedocs.io/en/stable/operator-manual/metrics/',
    metrics: ['argocd_app_info'],
  },
];
