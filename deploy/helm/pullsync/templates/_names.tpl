{{- define "pullsync.fullname" -}}
{{- if contains "pullsync" .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-pullsync" .Release.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "pullsync.selector" -}}
app.kubernetes.io/name: pullsync
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "pullsync.labels" -}}
{{ include "pullsync.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "pullsync.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{ else }}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "pullsync.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "pullsync.fullname" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{/* What of the values for Redis is set, as the configuration has it. */}}
{{- define "pullsync.redis" -}}
{{- $redis := dict }}
{{- range $key := tuple "url" "sentinels" "name" "cluster" "tls" "username" "caFile" "clientCertFile" "clientKeyFile" }}
{{- with index $.Values.redis $key }}{{ $_ := set $redis $key . }}{{ end }}
{{- end }}
{{- if .Values.redis.trial.enabled }}{{ $_ := set $redis "url" (printf "redis://%s-redis:6379" (include "pullsync.fullname" .)) }}{{ end }}
{{- if .Values.redis.passwordSecret.name }}{{ $_ := set $redis "passwordFile" "/run/secrets/redis/password" }}{{ end }}
{{- if .Values.redis.sentinelPasswordSecret.name }}
{{- $login := dict "passwordFile" "/run/secrets/sentinel/password" }}
{{- with .Values.redis.sentinelUsername }}{{ $_ := set $login "username" . }}{{ end }}
{{- $_ := set $redis "sentinelLogin" $login }}
{{- end }}
{{- toYaml $redis }}
{{- end }}

{{/* The configuration of all processes: what the chart knows, below what the values say. */}}
{{- define "pullsync.config" -}}
{{- $own := dict "redis" (include "pullsync.redis" . | fromYaml) "listen" "0.0.0.0:8080" }}
{{- if .Values.admin.passwordSecret.name }}{{ $_ := set $own "admin" (dict "listen" "0.0.0.0:9090" "passwordFile" "/run/secrets/admin/password") }}{{ end }}
{{- $spool := .Values.worker.spool.size | toString }}
{{- /* A tenth less than the volume: what is more evicts the pod. */}}
{{- $mebibytes := hasSuffix "Gi" $spool | ternary (mul (trimSuffix "Gi" $spool | int) 1024) (trimSuffix "Mi" $spool | int) }}
{{- $_ := set $own "spool" (dict "folder" "/spool" "size" (printf "%dMiB" (div (mul $mebibytes 9) 10))) }}
{{- mergeOverwrite $own (deepCopy .Values.config) | toYaml }}
{{- end }}

{{- define "pullsync.takenAtTheStart" -}}
{{- $config := include "pullsync.config" . | fromYaml }}
{{- pick $config "redis" "listen" "admin" | toYaml }}
{{- end }}
