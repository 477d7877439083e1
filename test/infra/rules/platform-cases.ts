import type { AlertCase } from './alert-case.ts';

const DAY = 86_400;
const expires = 'certmanager_certificate_expiration_timestamp_seconds{name="nats-tls"}';
const autoscaler = (figure: string) =>
  `kube_horizontalpodautoscaler_${figure}{horizontalpodautoscaler="keda-hpa-posthorn-router"}`;
const build = 'posthorn_build_info{pod="router-0"}';
const application = (sync: string, health: string) =>
  `argocd_app_info{name="nats",project="platform",sync_status="${sync}",health_status="${health}"}`;
const backup = (state: string) =>
  `kube_customresource_psmdb_backup_completed{cluster="posthorn",name="cron-1",state="${state}"}`;

/** Of the rules about Kubernetes and Argo CD. promtool's clock begins at 0. */
export const platformCases: readonly AlertCase[] = [
  {
    alert: 'PosthornCertificateNotRenewed',
    of: 'namespace',
    labels: { name: 'nats-tls' },
    severity: 'ticket',
    at: '2h',
    fires: { [expires]: `${20 * DAY}x200` },
    quiet: { [expires]: `${29 * DAY}x200` },
  },
  {
    alert: 'PosthornCertificateExpires',
    of: 'namespace',
    labels: { name: 'nats-tls' },
    severity: 'page',
    at: '1h',
    fires: { [expires]: `${2 * DAY}x200` },
    // 0: it was not issued yet.
    quiet: { [expires]: '0x200' },
  },
  {
    alert: 'PosthornScaledToMaximum',
    of: 'namespace',
    labels: { horizontalpodautoscaler: 'keda-hpa-posthorn-router' },
    severity: 'ticket',
    at: '2h',
    fires: {
      [autoscaler('status_current_replicas')]: '9x200',
      [autoscaler('spec_max_replicas')]: '9x200',
      [autoscaler('spec_min_replicas')]: '3x200',
      [build]: '1x200',
    },
    // It has one size.
    quiet: {
      [autoscaler('status_current_replicas')]: '3x200',
      [autoscaler('spec_max_replicas')]: '3x200',
      [autoscaler('spec_min_replicas')]: '3x200',
      [build]: '1x200',
    },
  },
  {
    alert: 'PosthornScaledToMaximum',
    of: 'namespace',
    labels: { horizontalpodautoscaler: 'keda-hpa-posthorn-router' },
    severity: 'ticket',
    at: '2h',
    fires: {
      [autoscaler('status_current_replicas')]: '9x200',
      [autoscaler('spec_max_replicas')]: '9x200',
      [autoscaler('spec_min_replicas')]: '3x200',
      [build]: '1x200',
    },
    // Of another program.
    quiet: {
      [autoscaler('status_current_replicas')]: '9x200',
      [autoscaler('spec_max_replicas')]: '9x200',
      [autoscaler('spec_min_replicas')]: '3x200',
    },
  },
  {
    alert: 'PosthornOutOfSync',
    of: 'namespace',
    labels: { name: 'nats' },
    severity: 'ticket',
    at: '2h',
    fires: { [application('OutOfSync', 'Healthy')]: '1x200' },
    quiet: { [application('Synced', 'Progressing')]: '1x200' },
  },
  {
    alert: 'PosthornOutOfSync',
    of: 'namespace',
    labels: { name: 'nats' },
    severity: 'ticket',
    at: '2h',
    fires: { [application('Synced', 'Degraded')]: '1x200' },
    // A roll-out.
    quiet: {
      [application('OutOfSync', 'Missing')]: '1x10 stale',
      [application('Synced', 'Healthy')]: '_x11 1x200',
    },
  },
  {
    alert: 'PosthornBackupMissing',
    of: 'namespace',
    labels: { cluster: 'posthorn' },
    severity: 'ticket',
    at: '30h',
    fires: { [backup('ready')]: '0x2000', [backup('error')]: '90000x2000' },
    quiet: { [backup('ready')]: '86400x2000' },
  },
];
