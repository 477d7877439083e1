{{/*
Keys of the Secret alertmanager-receivers that the configured receivers need, as a YAML list. They have the same names in
the environment's entry of the store of secrets.
*/}}
{{- define "apps.alertKeys" -}}
{{- $keys := list }}
{{- with .Values.alerting }}
{{- if .smtp.username }}{{ $keys = append $keys "alertSmtpPassword" }}{{ end }}
{{- if .webhookToken }}{{ $keys = append $keys "alertWebhookToken" }}{{ end }}
{{- if or .page.pagerduty .ticket.pagerduty }}{{ $keys = append $keys "alertPagerdutyKey" }}{{ end }}
{{- if or .page.slack .ticket.slack }}{{ $keys = append $keys "alertSlackUrl" }}{{ end }}
{{- end }}
{{- toYaml $keys }}
{{- end }}

{{/* A receiver. Alertmanager reads each key from a file, so that its configuration holds no secret. */}}
{{- define "apps.alertReceiver" -}}
{{- $files := "/etc/alertmanager/secrets/alertmanager-receivers" -}}
name: {{ .name }}
{{- with .of.email }}
email_configs:
  {{- range . }}
  - { to: {{ . | quote }}, send_resolved: true }
  {{- end }}
{{- end }}
{{- if .of.pagerduty }}
pagerduty_configs:
  - { routing_key_file: {{ $files }}/alertPagerdutyKey, severity: {{ eq .name "page" | ternary "critical" "warning" }}, send_resolved: true }
{{- end }}
{{- with .of.slack }}
slack_configs:
  - { channel: {{ . | quote }}, send_resolved: true }
{{- end }}
{{- with .of.webhook }}
webhook_configs:
  - url: {{ . | quote }}
    send_resolved: true
    {{- if $.token }}
    http_config: { authorization: { credentials_file: {{ $files }}/alertWebhookToken } }
    {{- end }}
{{- end }}
{{- end }}

{{/*
Values of kube-prometheus-stack for Alertmanager. Our rules have the severities page and ticket; rules of that chart have critical,
warning, info and none. An alert without any of these is a ticket.
*/}}
{{- define "apps.alertmanager" -}}
{{- $keys := include "apps.alertKeys" . | fromYamlArray -}}
alertmanager:
  alertmanagerSpec:
    replicas: 2
    {{- if $keys }}
    secrets: [alertmanager-receivers]
    {{- end }}
  config:
    {{- with .Values.alerting }}
    global:
      resolve_timeout: 5m
      {{- with .smtp.smarthost }}
      smtp_smarthost: {{ . | quote }}
      {{- end }}
      {{- with .smtp.from }}
      smtp_from: {{ . | quote }}
      {{- end }}
      {{- with .smtp.username }}
      smtp_auth_username: {{ . | quote }}
      smtp_auth_password_file: /etc/alertmanager/secrets/alertmanager-receivers/alertSmtpPassword
      {{- end }}
      {{- if has "alertSlackUrl" $keys }}
      slack_api_url_file: /etc/alertmanager/secrets/alertmanager-receivers/alertSlackUrl
      {{- end }}
    route:
      receiver: ticket
      group_by: [namespace, alertname]
      group_wait: 30s
      group_interval: 5m
      repeat_interval: 12h
      routes:
        # Fires without end: a service outside calls the team when it stops.
        - { receiver: watchdog, matchers: ['alertname = "Watchdog"'], group_wait: 0s, group_interval: 1m, repeat_interval: 5m }
        - { receiver: silent, matchers: ['severity =~ "info|none"'] }
        - { receiver: page, matchers: ['severity =~ "page|critical"'], repeat_interval: 1h }
    inhibit_rules:
      # One fault is one call: the ticket of an alert waits while its page fires.
      - source_matchers: ['severity =~ "page|critical"']
        target_matchers: ['severity =~ "ticket|warning"']
        equal: [namespace, alertname]
    receivers:
      - name: silent
      - {{ include "apps.alertReceiver" (dict "name" "page" "of" .page "token" .webhookToken) | nindent 8 | trim }}
      - {{ include "apps.alertReceiver" (dict "name" "ticket" "of" .ticket "token" .webhookToken) | nindent 8 | trim }}
      - {{ include "apps.alertReceiver" (dict "name" "watchdog" "of" .watchdog "token" .webhookToken) | nindent 8 | trim }}
    {{- end }}
{{- end }}
