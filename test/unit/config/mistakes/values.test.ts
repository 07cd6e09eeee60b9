import { describe, expect, it } from 'vitest'
import { type Mistake, saidOf } from './mistake.ts'

const MISTAKES: readonly Mistake[] = [
  [
    'two listeners at one address',
    { listen: 'listen: 127.0.0.1:8080', more: 'admin: {listen: "127.0.0.1:8080"}' },
    '15:9  admin.listen: listen and admin.listen (127.0.0.1:9090 unless told) cannot be the same address: give them different ports',
  ],
  [
    'a listener at every address, the other one among them',
    { listen: 'listen: :9090' },
    '1:1  listen: listen and admin.listen (127.0.0.1:9090 unless told) cannot be the same address: give them different ports',
  ],
  [
    'itself as the local registry',
    { listen: 'listen: 0.0.0.0:5000' },
    '3:3  local.url: this is where pullsync itself listens: name the registry, which needs an address of its own',
  ],
  [
    'a first pause of jobs that is longer than the longest',
    { more: 'jobs: {backoff: 10m}' },
    '15:8  jobs.backoff: backoff is longer than maxBackoff, which is 5m unless told: raise maxBackoff, or shorten backoff',
  ],
  [
    'a first pause of outages that is longer than the longest',
    { more: 'outages: {pause: 1m, maxPause: 30s}' },
    '15:11  outages.pause: pause is longer than maxPause: raise maxPause, or shorten pause',
  ],
  [
    'a scheme that is none',
    { upstreams: 'upstreams:\n  hq:\n    url: htps://hq.example' },
    '6:5  upstreams.hq.url: expected an http(s) URL, got "htps://hq.example"',
  ],
  [
    'a path in a URL',
    { local: 'local:\n  url: https://r.example/v2' },
    '3:3  local.url: expected only scheme, host and port (a path, query or fragment is not used), got "https://r.example/v2"',
  ],
  [
    'credentials in a URL',
    { local: 'local:\n  url: https://me:hunter2@r.example' },
    '3:3  local.url: credentials belong in username/passwordFile, not in the URL',
  ],
  [
    'plain http over a network',
    { local: 'local:\n  url: http://10.0.0.1:5000' },
    '3:3  local.url: plain http over a network would send credentials and images unprotected: use https, or set insecure: true',
  ],
  [
    'insecure on https',
    { local: 'local:\n  url: https://r.example\n  insecure: true' },
    '4:3  local.insecure: insecure only allows plain http; for an own certificate authority set caFile',
  ],
  ['a missing section', { local: '' }, '1:1  local: missing'],
  [
    'a missing key',
    { upstreams: 'upstreams:\n  hq: {concurrency: 2}' },
    '5:3  upstreams.hq.url: missing',
  ],
  [
    'a section without content',
    { local: 'local:' },
    '2:1  local: expected a mapping (keys with values), got nothing',
  ],
  ['an empty list', { projects: 'projects: []' }, '7:1  projects: at least one is needed'],
  [
    'no upstream',
    { upstreams: 'upstreams: {}', projects: 'projects: [{name: team, upstream: hq}]' },
    '4:1  upstreams: at least one upstream is needed',
  ],
  [
    'a mapping instead of a list',
    { projects: 'projects:\n  team: {upstream: hq}' },
    '7:1  projects: expected a list, got a mapping',
  ],
  [
    'a misspelt key',
    { upstreams: 'upstreams:\n  hq:\n    url: https://hq.example\n    concurency: 2' },
    '7:5  upstreams.hq.concurency: unknown key (did you mean concurrency?); known here: url, username, password, passwordFile, dockerConfig, accessTokenFile, auth, caFile, clientCertFile, clientKeyFile, insecure, trustedHosts, concurrency, maxBytesPerSecond, rateLimitFloor',
  ],
  [
    'an unknown key',
    { more: 'gateway: true' },
    '15:1  gateway: unknown key; known here: redis, listen, trustedProxies, admin, local, upstreams, projects, sources, jobs, misses, outages, spool',
  ],
  [
    'a number that is none',
    { upstreams: 'upstreams:\n  hq: {url: "https://hq.example", concurrency: 8x}' },
    '5:35  upstreams.hq.concurrency: expected a whole number from 1 to 256, got "8x"',
  ],
  [
    'a number out of range',
    { more: 'jobs: {attempts: 0}' },
    '15:8  jobs.attempts: expected a whole number from 1 to 50, got 0',
  ],
  [
    'a bucket that would never let anything through',
    { more: 'misses: {perRepository: {burst: 0}}' },
    '15:26  misses.perRepository.burst: expected a whole number from 1 to 1000000, got 0',
  ],
  [
    'a number for a text',
    { projects: 'projects:\n  - {name: team, upstream: hq, tags: {include: [1.0]}}' },
    '8:49  projects[0].tags.include[0]: expected text (put it in quotes), got 1.0',
  ],
  [
    'a duration without unit',
    { projects: 'projects:\n  - {name: team, upstream: hq, holdFor: 20}' },
    '8:32  projects[0].holdFor: expected a duration such as 500ms, 20s, 10m, 1h or 7d, got 20',
  ],
  [
    'a duration out of range',
    { projects: 'projects:\n  - {name: team, upstream: hq, holdFor: 2h}' },
    '8:32  projects[0].holdFor: expected a duration from 0s to 1h, got "2h"',
  ],
  [
    'a size without unit',
    { upstreams: 'upstreams:\n  hq: {url: "https://hq.example", maxBytesPerSecond: 50}' },
    '5:35  upstreams.hq.maxBytesPerSecond: expected a size such as 512KiB, 50MiB or 1GB, got 50',
  ],
  [
    'an address without port',
    { listen: 'listen: 0.0.0.0' },
    '1:1  listen: expected an address such as 0.0.0.0:8080, [::1]:9090 or :8080, got "0.0.0.0"',
  ],
  [
    'a word that is none',
    { projects: 'projects:\n  - {name: team, upstream: hq, onMiss: strem}' },
    '8:32  projects[0].onMiss: expected stream, hold or async (did you mean stream?), got "strem"',
  ],
  [
    'yes for true',
    { projects: 'projects:\n  - {name: team, upstream: hq, autoSync: yes}' },
    '8:32  projects[0].autoSync: expected true or false, got "yes"',
  ],
  [
    'a cron expression of four fields',
    { projects: 'projects:\n  - {name: team, upstream: hq, resync: "0 3 * *"}' },
    '8:32  projects[0].resync: expected a cron expression of five fields such as "0 3 * * *", got "0 3 * *"',
  ],
  [
    'an open admin listener',
    { more: 'admin: {listen: "0.0.0.0:9090"}' },
    '15:9  admin.listen: an admin listener on other than loopback needs a password: set admin.passwordFile, or listen on 127.0.0.1',
  ],
  [
    'a Redis URL that is none',
    { more: 'redis: {url: "127.0.0.1:6379"}' },
    '15:9  redis.url: expected a redis://, rediss:// or unix:// URL, got "127.0.0.1:6379"',
  ],
  [
    'a login for a Redis socket',
    { more: 'redis: {url: "unix:///run/redis.sock", password: p}' },
    '15:9  redis.url: a login is not supported with a unix:// socket: its file mode guards it',
  ],
  [
    'a certificate for a Redis without TLS',
    { more: 'redis: {url: "redis://127.0.0.1", caFile: /run/cert}' },
    '15:35  redis.caFile: certificates are only used with a rediss:// URL, or tls: true',
  ],
]

describe('a configuration with a mistake', () => {
  it.each(MISTAKES)('says what is wrong with %s', (_, parts, expected) => {
    expect(saidOf(parts)).toBe(`pullsync.yaml:${expected}`)
  })
})
