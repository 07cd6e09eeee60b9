import { eventsUrl, type NotificationsOptions } from './options.ts'

/** The `notifications:` block for the config of a CNCF distribution registry, 2.x or 3.x. */
export function distributionNotifications(options: NotificationsOptions): string {
  const { inWords, actions } = noNews(options)
  return `notifications:
  endpoints:
    - name: pullsync
      url: ${scalar(eventsUrl(options))}
      headers:
        Authorization: [${scalar(`Bearer ${options.secret}`)}]
      # The registry sends one event at a time and repeats it until it is taken.
      timeout: 5s
      threshold: 5
      backoff: 2s
      # Both are needed: up to version 3.0 \`ignore\` has no effect without media types, and the older
      # key is what every version understands. ${inWords} are no news.
      ignoredmediatypes: [application/octet-stream]
      ignore:
        mediatypes: [application/octet-stream]
        actions: [${actions.join(', ')}]
`
}

/** For `/etc/gitlab/gitlab.rb` of a self-managed GitLab. */
export function gitlabNotifications(options: NotificationsOptions): string {
  const { actions } = noNews(options)
  const ignored = actions.map((action) => rubyText(action)).join(', ')
  return `# In /etc/gitlab/gitlab.rb; then run: gitlab-ctl reconfigure
registry['notifications'] = [
  {
    'name' => 'pullsync',
    'url' => ${rubyText(eventsUrl(options))},
    'timeout' => '5s',
    'backoff' => '2s',
    'maxretries' => 10,
    'headers' => { 'Authorization' => [${rubyText(options.secret)}] },
    'ignoredmediatypes' => ['application/octet-stream'],
    'ignore' => { 'mediatypes' => ['application/octet-stream'], 'actions' => [${ignored}] }
  }
]
`
}

/** What pullsync does nothing about, whatever it is of. */
function noNews({ isLocal = false }: NotificationsOptions) {
  return isLocal
    ? { inWords: 'Blobs and mounts', actions: ['mount'] }
    : { inWords: 'Blobs, pulls and mounts', actions: ['pull', 'mount'] }
}

// JSON strings are YAML's double-quoted ones.
function scalar(text: string): string {
  return JSON.stringify(text)
}

// Ruby puts nothing into single-quoted strings.
function rubyText(text: string): string {
  return `'${text.replaceAll(/[\\']/g, '\\$&')}'`
}
