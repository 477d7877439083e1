{{/* The ports of the URLs of NATS, as YAML: a URL without a port means 4222. */}}
{{- define "posthorn.natsPorts" -}}
{{- $ports := list -}}
{{- range splitList "," .Values.nats.url -}}
{{- $host := regexReplaceAll "^[a-z]+://([^@/]*@)?([^/]*).*$" . "${2}" -}}
{{- $port := regexFind ":[0-9]+$" $host | trimPrefix ":" -}}
{{- $ports = append $ports (int ($port | default "4222")) -}}
{{- end -}}
{{- uniq $ports | toYaml -}}
{{- end }}

{{/* The roles that an entry of network.egress is for, as YAML. */}}
{{- define "posthorn.egressRoles" -}}
{{- $ofPurpose := dict
  "nats" (list "ingress" "router" "delivery" "control" "migrate")
  "mongodb" (list "ingress" "control" "migrate")
  "webhooks" (list "delivery")
  "telemetry" (list "ingress" "router" "delivery" "control") -}}
{{- .roles | default (index $ofPurpose .purpose) | toYaml -}}
{{- end }}

{{/* One peer of a NetworkPolicy: a network, or pods of a namespace. */}}
{{- define "posthorn.peer" -}}
{{- if .cidr -}}
- ipBlock: { cidr: {{ .cidr | quote }} }
{{- else -}}
- namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: {{ .namespace }} } }
{{- with .podLabels }}
  podSelector: { matchLabels: {{ toJson . }} }
{{- end }}
{{- end }}
{{- end }}

{{/* The rules of network.egress for one role. Webhooks to a private network may have any port. */}}
{{- define "posthorn.egressRules" -}}
{{- $role := .role -}}
{{- $natsPorts := include "posthorn.natsPorts" . | fromYamlArray -}}
{{- range .Values.network.egress }}
{{- if has $role (include "posthorn.egressRoles" . | fromYamlArray) }}
- to:
    {{- include "posthorn.peer" . | nindent 4 }}
  ports:
    {{- if .endPort }}
    - { protocol: TCP, port: {{ .port }}, endPort: {{ .endPort }} }
    {{- else }}
    {{- $ports := .ports }}
    {{- if .port }}{{ $ports = list .port }}{{ else if and (not $ports) (eq .purpose "nats") }}{{ $ports = $natsPorts }}{{ end }}
    {{- range $ports }}
    - { protocol: TCP, port: {{ . }} }
    {{- else }}
    - { protocol: TCP }
    {{- end }}
    {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Name resolution: every pod needs it. */}}
{{- define "posthorn.dnsRules" -}}
{{- range .Values.network.dns }}
- to:
    {{- include "posthorn.peer" . | nindent 4 }}
  ports: [{ protocol: UDP, port: {{ .port | default 53 }} }, { protocol: TCP, port: {{ .port | default 53 }} }]
{{- end }}
{{- end }}

{{/* The private networks that webhooks may be sent to: what the policy allows, the program allows too. */}}
{{- define "posthorn.egressAllow" -}}
{{- $cidrs := list -}}
{{- range .Values.network.egress -}}
{{- if eq .purpose "webhooks" }}{{ $cidrs = append $cidrs .cidr }}{{ end -}}
{{- end -}}
{{- join "," $cidrs -}}
{{- end }}

{{/* Checks of network.egress that the schema cannot express with a clear error. */}}
{{- define "posthorn.checkEgress" -}}
{{- $purposes := list -}}
{{- $natsPorts := list -}}
{{- $natsByCidr := true -}}
{{- range $i, $entry := .Values.network.egress }}
{{- $at := printf "network.egress[%d]" $i }}
{{- $purposes = append $purposes .purpose }}
{{- if eq .purpose "webhooks" }}
{{- if not .cidr }}{{ fail (printf "%s.cidr: is required with the purpose webhooks, because the program allows networks only" $at) }}{{ end }}
{{- if .roles }}{{ fail (printf "%s.roles: must not be set with the purpose webhooks, because only delivery sends them" $at) }}{{ end }}
{{- else if eq (empty .cidr) (empty .namespace) }}
{{- fail (printf "%s: exactly one of cidr and namespace is required" $at) }}
{{- end }}
{{- if and .cidr .podLabels }}{{ fail (printf "%s.podLabels: must be set together with namespace" $at) }}{{ end }}
{{- if and .port .ports }}{{ fail (printf "%s: only one of port and ports may be set" $at) }}{{ end }}
{{- if and .endPort (not .port) }}{{ fail (printf "%s.port: is required with endPort" $at) }}{{ end }}
{{- if and .endPort (lt (int .endPort) (int .port)) }}{{ fail (printf "%s.endPort: must be at least port (%d)" $at (int .port)) }}{{ end }}
{{- if and (not .port) (not .ports) (not (has .purpose (list "nats" "webhooks"))) }}
{{- fail (printf "%s.port: is required with the purpose %s" $at .purpose) }}
{{- end }}
{{- if and (eq .purpose "other") (not .roles) }}{{ fail (printf "%s.roles: is required with the purpose other" $at) }}{{ end }}
{{- if eq .purpose "nats" }}
{{- if .namespace }}{{ $natsByCidr = false }}{{ end }}
{{- $natsPorts = append $natsPorts $entry }}
{{- end }}
{{- end }}
{{- range list "nats" "mongodb" }}
{{- if not (has . $purposes) }}{{ fail (printf "network.egress: no entry has the purpose %s, so no pod could reach it" .) }}{{ end }}
{{- end }}
{{- /* Through a Service the port of the pod may differ from that of the URL. */}}
{{- if $natsByCidr }}
{{- range $wanted := include "posthorn.natsPorts" . | fromYamlArray }}
{{- $open := false }}
{{- range $natsPorts }}
{{- $ports := .ports | default (list) }}
{{- $last := int (.endPort | default .port) }}
{{- if and (not .port) (not $ports) }}{{ $open = true }}{{ end }}
{{- range $ports }}{{ if eq (int .) (int $wanted) }}{{ $open = true }}{{ end }}{{ end }}
{{- if and .port (le (int .port) (int $wanted)) (ge $last (int $wanted)) }}{{ $open = true }}{{ end }}
{{- end }}
{{- if not $open }}{{ fail (printf "network.egress: no entry with the purpose nats opens port %d of nats.url" (int $wanted)) }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
