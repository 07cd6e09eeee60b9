export interface DistributionNotificationsOptions {
  /** Where the registry reaches pullsync's public listener, for example `http://127.0.0.1:8080`. */
  readonly webhookUrl: string
  /** The `distribution` source that this registry is, and its secret. */
  readonly sourceId: string
  readonly secret: string
}

/** The `notifications:` block for the config of a CNCF distribution registry, 2.x or 3.x. */
export function distributionNotifications(options: DistributionNotificationsOptions): string {
  const path = `/v1/events/${encodeURIComponent(options.sourceId)}`
  return `notifications:
  endpoints:
    - name: pullsync
      url: ${scalar(new URL(path, options.webhookUrl).href)}
      headers:
        Authorization: [${scalar(`Bearer ${options.secret}`)}]
      # The registry sends one event at a time and repeats it until it is taken.
      timeout: 5s
      threshold: 5
      backoff: 2s
      # Both are needed: up to version 3.0 \`ignore\` has no effect without media types, and the older
      # key is what every version understands. Blobs, pulls and mounts are no news.
      ignoredmediatypes: [application/octet-stream]
      ignore:
        mediatypes: [application/octet-stream]
        actions: [pull, mount]
`
}

// JSON strings are YAML's double-quoted ones.
function scalar(text: string): string {
  return JSON.stringify(text)
}
