{{/* Checks between values, which the schema cannot express. */}}
{{- define "posthorn.check" -}}
{{- $roles := include "posthorn.roles" . | fromYamlArray }}
{{- range $role := $roles }}
{{- $of := include "posthorn.of" (merge (dict "role" $role) $) | fromYaml }}
{{- $auto := $of.autoscaling | default dict }}
{{- if and $auto.enabled (gt (int $auto.minReplicas) (int $auto.maxReplicas)) }}
{{- fail (printf "roles.%s.autoscaling: minReplicas (%d) is more than maxReplicas (%d)" $role (int $auto.minReplicas) (int $auto.maxReplicas)) }}
{{- end }}
{{- end }}
{{- $shards := int .Values.settings.POSTHORN_SHARDS }}
{{- range $role := list "router" "delivery" }}
{{- $of := include "posthorn.of" (merge (dict "role" $role) $) | fromYaml }}
{{- $name := "replicas" }}
{{- $most := int $of.replicas }}
{{- if include "posthorn.scaled" (merge (dict "role" $role "of" $of) $) }}
{{- $name = "autoscaling.maxReplicas" }}
{{- $most = int $of.autoscaling.maxReplicas }}
{{- end }}
{{- if gt $most $shards }}
{{- fail (printf "roles.%s.%s: %d is more than settings.POSTHORN_SHARDS (%d), and a shard has one process of a role at a time" $role $name $most $shards) }}
{{- end }}
{{- end }}
{{- if and .Values.probe.enabled (not .Values.secret.bootstrapKey) }}
{{- $given := false }}
{{- range .Values.secret.extra }}{{ if and (eq .setting "POSTHORN_PROBE_KEY") (has "probe" .roles) }}{{ $given = true }}{{ end }}{{ end }}
{{- if not $given }}
{{- fail "probe.enabled: the probe needs a platform key: secret.bootstrapKey, or an entry of secret.extra with setting POSTHORN_PROBE_KEY and the role probe" }}
{{- end }}
{{- end }}
{{- include "posthorn.checkEgress" . }}
{{- $logins := list }}
{{- range list "user" "credentialsSecret" "nkeySecret" }}{{ if index $.Values.nats . }}{{ $logins = append $logins (printf "nats.%s" .) }}{{ end }}{{ end }}
{{- if gt (len $logins) 1 }}{{ fail (printf "%s: only one of them may be set" (join ", " $logins)) }}{{ end }}
{{- include "posthorn.checkExposure" . }}
{{- if and .Values.probe.enabled (not (and (has "ingress" $roles) (has "delivery" $roles) (has "control" $roles))) }}
{{- fail "probe.enabled: the probe needs the roles ingress, delivery and control of this release" }}
{{- end }}
{{- end }}

{{/* Hosts of Ingresses and HTTPRoutes. */}}
{{- define "posthorn.checkExposure" -}}
{{- if and .Values.ingress.enabled .Values.gateway.enabled }}
{{- fail "ingress.enabled and gateway.enabled: only one of both may be true" }}
{{- end }}
{{- range $kind := list "ingress" "gateway" }}
{{- $block := index $.Values $kind }}
{{- if $block.enabled }}
{{- range $side := include "posthorn.sides" $ | fromYamlArray }}
{{- if not $side.host }}{{ fail (printf "%s.%sHost: is required (or set %s.%s.enabled to false)" $kind $side.name $kind $side.name) }}{{ end }}
{{- end }}
{{- if and $block.publishHost (eq $block.publishHost $block.apiHost) }}
{{- fail (printf "%s.publishHost and %s.apiHost: must be two names, because publishing and reading events have the same path" $kind $kind) }}
{{- end }}
{{- if and (eq $kind "gateway") (not $block.parentRefs) }}
{{- range $side := include "posthorn.sides" $ | fromYamlArray }}
{{- if not (index $block $side.name).parentRefs }}{{ fail (printf "gateway.parentRefs: is required (or gateway.%s.parentRefs)" $side.name) }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
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
