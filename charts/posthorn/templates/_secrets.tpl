{{/*
The secrets that a role reads, as a list of { key: of the chart, setting, secret, from: key in that Secret }. No role has more
than it needs.
*/}}
{{- define "posthorn.secrets" -}}
{{- $keys := dict -}}
{{- if and .Values.nats.user (not (has .role (list "probe" "test" "preview"))) }}{{ $_ := set $keys "natsPassword" "POSTHORN_NATS_PASSWORD" }}{{ end -}}
{{- if and .Values.nats.userPerRole (hasKey $keys "natsPassword") }}{{ $_ := unset $keys "natsPassword" }}{{ $_ := set $keys (include "posthorn.natsPassword" .) "POSTHORN_NATS_PASSWORD" }}{{ end -}}
{{- if has .role (list "ingress" "control" "migrate") }}{{ $_ := set $keys "mongodbUrl" "POSTHORN_MONGODB_URL" }}{{ end -}}
{{- if has .role (list "delivery" "control") }}{{ $_ := set $keys "masterKey" "POSTHORN_MASTER_KEY" }}{{ end -}}
{{- if and .Values.secret.bootstrapKey (has .role (list "ingress" "control" "probe" "test" "preview")) }}{{ $_ := set $keys "bootstrapKey" "POSTHORN_BOOTSTRAP_KEY" }}{{ end -}}
{{- if and .Values.nats.authCallout (eq .role "ingress") }}{{ $_ := set $keys "natsAuthSeed" "POSTHORN_NATS_AUTH_SEED" }}{{ end -}}
{{- $entries := list -}}
{{- range $key, $setting := $keys -}}
{{- $ref := index $.Values.secret.references $key | default dict -}}
{{- $entries = append $entries (dict "key" $key "setting" $setting "secret" ($ref.name | default $.Values.secret.name) "from" ($ref.key | default $key)) -}}
{{- end -}}
{{- range .Values.secret.extra -}}
{{- if has $.role .roles }}{{ $entries = append $entries (dict "key" .key "setting" .setting "secret" (.name | default $.Values.secret.name) "from" .key) }}{{ end -}}
{{- end -}}
{{- $entries | toYaml -}}
{{- end }}

{{/* The key of the Secret with the password of NATS of a role. */}}
{{- define "posthorn.natsPassword" -}}
natsPassword{{ if .Values.nats.userPerRole }}{{ title .role }}{{ end }}
{{- end }}

{{- define "posthorn.secretEnv" -}}
{{- range include "posthorn.secrets" . | fromYamlArray }}
- { name: {{ .setting }}_FILE, value: /run/secrets/posthorn/{{ .key }} }
{{- end }}
{{- end }}

{{/* One volume of all Secrets that a role reads. */}}
{{- define "posthorn.secretVolume" -}}
{{- $bySecret := dict -}}
{{- range include "posthorn.secrets" . | fromYamlArray -}}
{{- $_ := set $bySecret .secret (append (index $bySecret .secret | default list) (dict "key" .from "path" .key)) -}}
{{- end -}}
{{- if $bySecret }}
- name: secret
  projected:
    defaultMode: 0440
    sources:
      {{- range $secret, $items := $bySecret }}
      - secret: { name: {{ $secret }}, items: {{ toJson $items }} }
      {{- end }}
{{- end }}
{{- end }}

{{/*
Files that settings name by their path, of a Secret each, as a list of { volume, secret, settings: by file }. The program reads
them again, so that a renewed file needs no new pod.
*/}}
{{- define "posthorn.files" -}}
{{- $files := list -}}
{{- $nats := .Values.nats -}}
{{- if not (has .role (list "probe" "test" "preview")) -}}
{{- range list
  (dict "volume" "nats-ca" "secret" $nats.caSecret "settings" (dict "ca.crt" "POSTHORN_NATS_CA_PATH"))
  (dict "volume" "nats-credentials" "secret" $nats.credentialsSecret "settings" (dict "user.creds" "POSTHORN_NATS_CREDENTIALS_PATH"))
  (dict "volume" "nats-nkey" "secret" $nats.nkeySecret "settings" (dict "user.nk" "POSTHORN_NATS_NKEY_PATH"))
  (dict "volume" "nats-certificate" "secret" $nats.certificateSecret "settings" (dict "tls.crt" "POSTHORN_NATS_CERTIFICATE_PATH" "tls.key" "POSTHORN_NATS_KEY_PATH")) -}}
{{- if .secret }}{{ $files = append $files . }}{{ end -}}
{{- end -}}
{{- end -}}
{{- with .Values.tls.secret -}}
{{- $settings := dict "tls.crt" "POSTHORN_HTTP_CERTIFICATE_PATH" "tls.key" "POSTHORN_HTTP_KEY_PATH" -}}
{{- if eq $.role "probe" }}{{ $_ := set $settings "ca.crt" "POSTHORN_PROBE_CA_PATH" }}{{ end -}}
{{- if has $.role (list "test" "preview") }}{{ $settings = dict "ca.crt" "NODE_EXTRA_CA_CERTS" }}{{ end -}}
{{- if ne $.role "migrate" }}{{ $files = append $files (dict "volume" "tls" "secret" . "settings" $settings) }}{{ end -}}
{{- end -}}
{{- if and .Values.mongodb.caSecret (has .role (list "ingress" "control" "migrate")) -}}
{{- $files = append $files (dict "volume" "mongodb-ca" "secret" .Values.mongodb.caSecret "settings" (dict "ca.crt" "POSTHORN_MONGODB_CA_PATH")) -}}
{{- end -}}
{{- $files | toYaml -}}
{{- end }}
