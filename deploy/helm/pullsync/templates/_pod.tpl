{{/* A pod of either kind; called with the chart's context and `kind`. */}}
{{- define "pullsync.pod" -}}
{{- $root := .root }}{{- $workload := index $root.Values .kind }}
metadata:
  labels:
    {{- include "pullsync.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .kind }}
  annotations:
    # What a process takes up at its start only: without new pods, a change of it would wait for whatever ends the old ones.
    pullsync/taken-at-the-start: {{ include "pullsync.takenAtTheStart" $root | sha256sum }}
    {{- with $root.Values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ include "pullsync.serviceAccount" $root }}
  automountServiceAccountToken: false
  # What has not ended 30 s after SIGTERM ends itself by force; serve is told of its end five seconds late.
  terminationGracePeriodSeconds: 40
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets: {{ toYaml . | nindent 4 }}
  {{- end }}
  securityContext: { runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000, seccompProfile: { type: RuntimeDefault } }
  containers:
    - name: pullsync
      image: {{ include "pullsync.image" $root | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      {{- if eq .kind "worker" }}
      args: [worker, --admin-listen, '0.0.0.0:9090']
      {{- else }}
      args: [serve]
      {{- end }}
      env:
        - { name: PULLSYNC_CONFIG, value: /etc/pullsync/pullsync.yaml }
        - { name: TMPDIR, value: /spool }
      ports:
        {{- if eq .kind "serve" }}
        - { name: http, containerPort: 8080 }
        {{- end }}
        - { name: admin, containerPort: 9090 }
      {{- if or (eq .kind "worker") $root.Values.admin.passwordSecret.name }}
      livenessProbe: { httpGet: { path: /livez, port: admin }, periodSeconds: 10, failureThreshold: 6 }
      {{- else }}
      # The admin listener is on the pod's own loopback, so the public one is asked.
      livenessProbe: { tcpSocket: { port: http }, periodSeconds: 10, failureThreshold: 6 }
      {{- end }}
      {{- if eq .kind "worker" }}
      readinessProbe: { httpGet: { path: /readyz, port: admin }, periodSeconds: 5 }
      {{- else }}
      # Not /readyz: while Redis is away that is 503 in all pods, and none would be left to give clients what is here.
      readinessProbe: { tcpSocket: { port: http }, periodSeconds: 5 }
      # The listener closes at SIGTERM; until everybody has heard that the pod goes, clients are still sent to it.
      lifecycle: { preStop: { exec: { command: [node, -e, 'setTimeout(() => {}, 5000)'] } } }
      {{- end }}
      resources: {{ toYaml $workload.resources | nindent 8 }}
      securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: [ALL] } }
      volumeMounts:
        - { name: config, mountPath: /etc/pullsync, readOnly: true }
        - { name: spool, mountPath: /spool }
        {{- if $root.Values.secretNames }}
        - { name: secrets, mountPath: /run/secrets/pullsync, readOnly: true }
        {{- end }}
        {{- if $root.Values.admin.passwordSecret.name }}
        - { name: admin, mountPath: /run/secrets/admin, readOnly: true }
        {{- end }}
        {{- if $root.Values.redis.passwordSecret.name }}
        - { name: redis, mountPath: /run/secrets/redis, readOnly: true }
        {{- end }}
        {{- if $root.Values.redis.sentinelPasswordSecret.name }}
        - { name: sentinel, mountPath: /run/secrets/sentinel, readOnly: true }
        {{- end }}
  volumes:
    - { name: config, configMap: { name: {{ include "pullsync.fullname" $root }} } }
    {{- if eq .kind "worker" }}
    {{- include "pullsync.spool" $root | nindent 4 }}
    {{- else }}
    - { name: spool, emptyDir: { sizeLimit: 64Mi } }
    {{- end }}
    {{- if $root.Values.secretNames }}
    - name: secrets
      projected:
        sources:
          {{- range $root.Values.secretNames }}
          - { secret: { name: {{ . }} } }
          {{- end }}
    {{- end }}
    {{- with $root.Values.admin.passwordSecret }}{{ if .name }}
    - { name: admin, secret: { secretName: {{ .name }}, items: [{ key: {{ .key }}, path: password }] } }
    {{- end }}{{ end }}
    {{- with $root.Values.redis.passwordSecret }}{{ if .name }}
    - { name: redis, secret: { secretName: {{ .name }}, items: [{ key: {{ .key }}, path: password }] } }
    {{- end }}{{ end }}
    {{- with $root.Values.redis.sentinelPasswordSecret }}{{ if .name }}
    - { name: sentinel, secret: { secretName: {{ .name }}, items: [{ key: {{ .key }}, path: password }] } }
    {{- end }}{{ end }}
  {{- with $root.Values.nodeSelector }}
  nodeSelector: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.tolerations }}
  tolerations: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.affinity }}
  affinity: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.topologySpreadConstraints }}
  topologySpreadConstraints: {{ toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "pullsync.spool" -}}
{{- with .Values.worker.spool }}
{{- if .storageClassName }}
- name: spool
  ephemeral:
    volumeClaimTemplate:
      spec:
        accessModes: [ReadWriteOnce]
        storageClassName: {{ .storageClassName }}
        resources: { requests: { storage: {{ .size }} } }
{{- else }}
- { name: spool, emptyDir: { sizeLimit: {{ .size }} } }
{{- end }}
{{- end }}
{{- end }}
