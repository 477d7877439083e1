/** The receivers of alerts of one severity, as far as they decide about secrets. */
interface Receivers {
  pagerduty?: boolean;
  slack?: string;
}

/** The values of `argocd/environments/<name>/apps.yaml` that decide about secrets. */
export interface AppsValues {
  mongodb?: { mode?: string };
  privateImage?: boolean;
  alerting?: {
    page?: Receivers;
    ticket?: Receivers;
    smtp?: { username?: string };
    webhookToken?: boolean;
  };
}

/** Returns the keys that an environment needs in addition to those of the chart. */
export function furtherKeys({ mongodb, privateImage, alerting = {} }: AppsValues): string[] {
  const { page, ticket, smtp, webhookToken } = alerting;
  const keys = {
    mongodbPassword: mongodb?.mode === 'operator',
    imagePullConfig: privateImage === true,
    alertSmtpPassword: Boolean(smtp?.username),
    alertWebhookToken: webhookToken === true,
    alertPagerdutyKey: Boolean(page?.pagerduty) || Boolean(ticket?.pagerduty),
    alertSlackUrl: Boolean(page?.slack) || Boolean(ticket?.slack),
  };
  return Object.entries(keys)
    .filter(([, needed]) => needed)
    .map(([key]) => key);
}
