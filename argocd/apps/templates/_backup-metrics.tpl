{{/*
Values of kube-prometheus-stack with which kube-state-metrics exports the backups of the operator of MongoDB:
kube_customresource_psmdb_backup_completed, the time at which a backup ended, in seconds since 1970.
*/}}
{{- define "apps.backupMetrics" -}}
kube-state-metrics:
  rbac:
    extraRules:
      - { apiGroups: [psmdb.percona.com], resources: [perconaservermongodbbackups], verbs: [list, watch] }
  customResourceState:
    enabled: true
    config:
      kind: CustomResourceStateMetrics
      spec:
        resources:
          - groupVersionKind: { group: psmdb.percona.com, version: v1, kind: PerconaServerMongoDBBackup }
            metricNamePrefix: kube_customresource
            labelsFromPath:
              namespace: [metadata, namespace]
              name: [metadata, name]
              cluster: [spec, clusterName]
              state: [status, state]
            metrics:
              - name: psmdb_backup_completed
                help: When the backup ended.
                each: { type: Gauge, gauge: { path: [status, completed] } }
{{- end }}
