import {
  curlJson,
  eventsUrl,
  eventsUrlWithSecret,
  type NotificationsOptions,
  shellWord,
} from './options.ts'

/** A webhook policy; each project of Harbor needs its own. */
export function harborNotifications(options: NotificationsOptions): string {
  const url = new URL('/api/v2.0/projects/PROJECT/webhook/policies', options.registryAddress).href
  const target = {
    type: 'http',
    address: eventsUrl(options),
    auth_header: `Bearer ${options.secret}`,
    skip_cert_verify: false,
    payload_format: 'CloudEvents',
  }
  const policy = {
    name: 'pullsync',
    enabled: true,
    event_types: [
      ...['PUSH_ARTIFACT', 'DELETE_ARTIFACT'],
      ...(options.isLocal === true ? ['PULL_ARTIFACT'] : []),
    ],
    targets: [target],
  }
  return `# Once for each project: put its name in the place of PROJECT, and an administrator's name and password.
# Before Harbor 2.8, leave out "payload_format".
${curlJson(url, "--user 'ADMIN:PASSWORD'", policy)}`
}

/** A part of zot's own configuration. */
export function zotNotifications(options: NotificationsOptions): string {
  const sink = {
    type: 'http',
    address: eventsUrl(options),
    timeout: '5s',
    credentials: { token: options.secret },
  }
  const config = { extensions: { events: { enable: true, sinks: [sink] } } }
  return `# In zot's config.json, beside what "extensions" has already; needs a zot with the events extension.
${JSON.stringify(config, null, 2)}
`
}

/** A notification; each repository of Quay needs its own. */
export function quayNotifications(options: NotificationsOptions): string {
  const path = '/api/v1/repository/NAMESPACE/REPOSITORY/notification/'
  const url = new URL(path, options.registryAddress).href
  const notification = {
    event: 'repo_push',
    method: 'webhook',
    title: 'pullsync',
    config: { url: eventsUrlWithSecret(options) },
    eventConfig: {},
  }
  return `# Once for each repository, with its NAMESPACE/REPOSITORY and an OAuth token that may administer it.
# By hand: Settings, Create Notification, "Push to Repository", "Webhook POST", and the URL below.
${curlJson(url, "--header 'Authorization: Bearer OAUTH-TOKEN'", notification)}`
}

export function dockerhubNotifications(options: NotificationsOptions): string {
  return `# On hub.docker.com, once for each repository: Webhooks, a name, and this URL:
${eventsUrlWithSecret(options)}
`
}

export function artifactoryNotifications(options: NotificationsOptions): string {
  const url = new URL('/event/api/v1/subscriptions', options.registryAddress).href
  const subscription = {
    key: 'pullsync',
    enabled: true,
    event_filter: {
      domain: 'docker',
      event_types: ['pushed', 'deleted', 'promoted'],
      criteria: { anyLocal: true, anyRemote: false, repoKeys: [] },
    },
    handlers: [
      {
        handler_type: 'webhook',
        url: eventsUrl(options),
        secret: options.secret,
        use_secret_for_signing: true,
      },
    ],
  }
  return `# With the access token of an administrator.
${curlJson(url, "--header 'Authorization: Bearer ACCESS-TOKEN'", subscription)}`
}

export function nexusNotifications(options: NotificationsOptions): string {
  return `# In Nexus: Administration, System, Capabilities, Create capability, "Webhook: Repository", with
#   Repository:   the hosted Docker repository; one capability for each
#   Event Types:  component
#   URL:          ${eventsUrl(options)}
#   Secret Key:   ${options.secret}
`
}

export function cloudeventsNotifications(options: NotificationsOptions): string {
  return `# Whoever tells of a push sends this, in any mode of the CloudEvents HTTP binding:
curl --fail-with-body \\
  --header ${shellWord(`Authorization: Bearer ${options.secret}`)} \\
  --header 'Content-Type: application/json' \\
  --header 'Ce-Specversion: 1.0' --header 'Ce-Id: UNIQUE-ID' --header 'Ce-Source: urn:example:build' \\
  --header 'Ce-Type: com.example.image.pushed' \\
  --data '{"repository": "team/app", "tag": "1.0", "digest": "sha256:…"}' \\
  ${shellWord(eventsUrl(options))}
`
}
