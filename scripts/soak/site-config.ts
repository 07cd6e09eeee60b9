export const SECRET = 'soak-secret-of-all-sources'
/** Of pullsync at the upstream. */
export const ACCOUNT = { username: 'mirror', password: 'soak-password-of-the-mirror' }

export interface SiteAddresses {
  readonly local: string
  readonly upstream: string
  /** The host of the token service. */
  readonly tokensAt: string
  /** Absent for `up`, which brings its own. */
  readonly redis?: string | undefined
  readonly listen?: number
  readonly admin?: number
}

/** Retries come soon, so that minutes show what hours would; all else is as an operator finds it. */
export function siteConfig(addresses: SiteAddresses): string {
  const { local, upstream, tokensAt, redis, listen, admin } = addresses
  return `
${redis === undefined ? '' : `redis: { url: ${redis} }`}
${listen === undefined ? '' : `listen: 127.0.0.1:${listen}`}
${admin === undefined ? '' : `admin: { listen: 127.0.0.1:${admin} }`}
local: { url: ${local} }
upstreams:
  hq:
    url: ${upstream}
    username: ${ACCOUNT.username}
    password: ${ACCOUNT.password}
    trustedHosts: ['${tokensAt}']
projects:
  - { name: team, upstream: hq, onMiss: stream, onUpstreamPush: always, revalidateAfter: 10s }
sources:
  miss: { format: pull-miss, registry: local, secret: ${SECRET} }
  hq-push: { format: distribution, registry: hq, secret: ${SECRET} }
jobs: { attempts: 50, backoff: 200ms, maxBackoff: 3s }
`
}
