import { curlJson, eventsUrl, type NotificationsOptions } from './options.ts'

/** A webhook of an organization, made with GitHub's own command line. */
export function githubNotifications(options: NotificationsOptions): string {
  return `# For an organization, with the GitHub CLI; for one repository: repos/OWNER/REPOSITORY/hooks.
gh api --method POST orgs/ORGANIZATION/hooks --input - <<'JSON'
${JSON.stringify({ name: 'web', ...hook(options) }, null, 2)}
JSON
`
}

export function giteaNotifications(options: NotificationsOptions): string {
  const url = new URL('/api/v1/orgs/ORGANIZATION/hooks', options.registryAddress).href
  return `# For an organization; ACCESS-TOKEN may write organizations. Forgejo takes the same.
${curlJson(url, "--header 'Authorization: token ACCESS-TOKEN'", { type: 'gitea', ...hook(options) })}`
}

function hook(options: NotificationsOptions) {
  return {
    active: true,
    events: ['package'],
    config: { url: eventsUrl(options), content_type: 'json', secret: options.secret },
  }
}
