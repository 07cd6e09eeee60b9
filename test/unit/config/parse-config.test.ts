import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../../src/config/config-error.ts'
import { configOf, problemsOf, yamlWith } from './parsed-yaml.ts'

describe('a correct configuration', () => {
  it('has every default', () => {
    const config = configOf(
      yamlWith({ listen: '', sources: '', projects: 'projects: [{name: team, upstream: hq}]' }),
    )

    expect(config).toMatchObject({
      file: '/etc/pullsync/pullsync.yaml',
      listen: { host: '0.0.0.0', port: 8080 },
      trustedProxies: [],
      admin: { listen: { host: '127.0.0.1', port: 9090 }, username: 'admin' },
      local: { id: 'local', url: new URL('http://127.0.0.1:5000'), trustedHosts: [] },
      sources: new Map(),
      jobs: {
        attempts: 5,
        backoffMs: 5_000,
        maxBackoffMs: 300_000,
        keepCompleted: { ageMs: 86_400_000, count: 1_000 },
        keepFailed: { ageMs: 604_800_000, count: 5_000 },
      },
      misses: {
        perSource: { burst: 600, perSecond: 10 },
        perRepository: { burst: 60, perSecond: 1 },
      },
    })
    expect(config.redis).toBeUndefined()
    expect(config.upstreams.get('hq')).toEqual({
      id: 'hq',
      url: new URL('https://harbor.hq.example'),
      trustedHosts: [],
      concurrency: 8,
      rateLimitFloor: 20,
    })
    expect(config.projects).toEqual([
      {
        name: 'team',
        upstreams: ['hq'],
        autoSync: true,
        repositories: { include: ['**'], exclude: [] },
        tags: { include: ['*'], exclude: [] },
        platforms: 'all',
        referrers: true,
        onUpstreamPush: 'refresh',
        revalidateAfterMs: 600_000,
        onHit: 'serve',
        onMiss: 'stream',
        holdForMs: 20_000,
        policy: 'learned',
        onUnavailable: 404,
        tagList: 'merge',
        onUpstreamDelete: 'keep',
      },
    ])
  })

  it('converts what is set', () => {
    const config = configOf(
      yamlWith({
        upstreams: `upstreams:
  hq: { url: 'http://10.0.0.1:5000', insecure: true, concurrency: 2, maxBytesPerSecond: 50MiB, trustedHosts: [Auth.example] }
  dr: { url: 'https://dr.example' }`,
        projects: `projects:
  - { name: '*', upstream: [hq, dr], autoSync: false, platforms: [linux/amd64, linux/arm/v7], holdFor: 500ms }
  - { name: base, upstream: dr, upstreamProject: images, resync: '0 3 * * *', onMiss: hold }`,
        more: `jobs: { attempts: 3, keepFailed: { age: 1h } }
misses: { perSource: { burst: 5000 }, perRepository: { burst: 20, perSecond: 2 } }`,
      }),
    )

    expect(config.upstreams.get('hq')).toMatchObject({
      url: new URL('http://10.0.0.1:5000'),
      concurrency: 2,
      maxBytesPerSecond: 52_428_800,
      trustedHosts: ['auth.example'],
    })
    expect(config.projects[0]).toMatchObject({
      upstreams: ['hq', 'dr'],
      autoSync: false,
      platforms: ['linux/amd64', 'linux/arm/v7'],
      holdForMs: 500,
    })
    expect(config.projects[1]).toMatchObject({
      upstreamProject: 'images',
      resync: '0 3 * * *',
      onMiss: 'hold',
    })
    expect(config.jobs).toMatchObject({
      attempts: 3,
      keepFailed: { ageMs: 3_600_000, count: 5_000 },
    })
    expect(config.misses).toEqual({
      perSource: { burst: 5_000, perSecond: 10 },
      perRepository: { burst: 20, perSecond: 2 },
    })
  })

  it.each([
    ['dockerConfig: config.json', { kind: 'docker-config', file: '/etc/pullsync/config.json' }],
    ['accessTokenFile: /run/token', { kind: 'access-token', file: '/run/token' }],
    ['username: u, accessTokenFile: /run/token', { kind: 'access-token', file: '/run/token' }],
    ['auth: acr', { kind: 'acr' }],
  ])('names where credentials come from without reading them: %s', (keys, credentials) => {
    const config = configOf(yamlWith({ local: `local: {url: "https://r.example", ${keys}}` }), {
      readAnyFile: '{"auths": {}}',
    })

    expect(config.local).toMatchObject({ credentials })
    expect(config.local).not.toHaveProperty('password')
  })

  it('reads a client certificate and its key', () => {
    const cert = '-----BEGIN CERTIFICATE-----'
    const key = '-----BEGIN PRIVATE KEY-----'
    const config = configOf(
      yamlWith({
        local: 'local: {url: "https://r.example", clientCertFile: c.pem, clientKeyFile: k.pem}',
      }),
      { files: { '/etc/pullsync/c.pem': cert, '/etc/pullsync/k.pem': key } },
    )

    expect(config.local.clientCertificate).toEqual({ cert, key })
  })

  it.each(['https://docker.io', 'https://index.docker.io'])(
    'takes %s for where Docker Hub serves its API',
    (url) => {
      const config = configOf(yamlWith({ upstreams: `upstreams: {hq: {url: "${url}"}}` }))

      expect(config.upstreams.get('hq')?.url.href).toBe('https://registry-1.docker.io/')
    },
  )

  it('reads secrets and certificates from files beside it, without the last newline', () => {
    const config = configOf(
      yamlWith({
        local:
          'local: {url: "https://r.example", username: u, passwordFile: local, caFile: ca.pem}',
        sources:
          'sources: {edge: {format: distribution, registry: local, secretFile: [new, /run/old]}}',
      }),
      {
        files: {
          '/etc/pullsync/local': 'pass word\r\n',
          '/etc/pullsync/ca.pem': '-----BEGIN CERTIFICATE-----\n',
          '/etc/pullsync/new': 'n',
          '/run/old': 'o\n',
        },
      },
    )

    expect(config.local).toMatchObject({
      username: 'u',
      password: 'pass word',
      ca: '-----BEGIN CERTIFICATE-----\n',
    })
    expect(config.sources.get('edge')?.secrets).toEqual(['n', 'o'])
  })

  it('takes two secrets at once', () => {
    const config = configOf(
      yamlWith({
        sources: 'sources: {edge: {format: pull-miss, registry: hq, secret: [one, two]}}',
      }),
    )

    expect(config.sources.get('edge')).toEqual({
      id: 'edge',
      format: 'pull-miss',
      registry: 'hq',
      secrets: ['one', 'two'],
    })
  })

  it.each([
    ['redis://127.0.0.1:6379', {}, 'redis://127.0.0.1:6379'],
    ['redis://r.example/2', { password: 'p@ss/:' }, 'redis://:p%40ss%2F%3A@r.example/2'],
    ['rediss://r.example', { username: 'u', password: '100%' }, 'rediss://u:100%25@r.example'],
    ['unix:///run/redis.sock', {}, 'unix:///run/redis.sock'],
  ])('gives the Redis URL %s its login %j', (url, login, expected) => {
    const redis = `redis: ${JSON.stringify({ url, ...login })}`

    expect(configOf(yamlWith({ more: redis })).redis).toEqual({ url: expected })
  })

  it('fills in environment variables as values, not as YAML', () => {
    const config = configOf(
      yamlWith({
        listen: 'listen: ${HOST:-127.0.0.1}:${PORT}',
        upstreams:
          'upstreams: {hq: {url: "https://hq.example", username: "robot$m", password: "$${X}$$", concurrency: "${N}", insecure: "${OFF}"}}',
        sources: 'sources: {edge: {format: distribution, registry: local, secret: "${SECRET}"}}',
      }),
      { env: { PORT: '81', SECRET: 'x: [1]\ny: "z', N: '3', OFF: 'false', HOST: '' } },
    )

    expect(config.listen).toEqual({ host: '127.0.0.1', port: 81 })
    expect(config.upstreams.get('hq')).toMatchObject({
      username: 'robot$m',
      password: '${X}$',
      concurrency: 3,
    })
    expect(config.sources.get('edge')?.secrets).toEqual(['x: [1]\ny: "z'])
  })

  it('can share settings by YAML anchors', () => {
    const config = configOf(
      yamlWith({
        projects:
          'projects:\n  - &team {name: team, upstream: hq, holdFor: 3s}\n  - {<<: *team, name: base}',
      }),
    )

    expect(config.projects[1]).toMatchObject({ name: 'base', holdForMs: 3_000 })
  })
})

// Each mistake stands in an otherwise correct file of a known number of lines.
const MISTAKES: readonly (readonly [string, Parameters<typeof yamlWith>[0], string])[] = [
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
    'platforms that are neither all nor a list',
    { projects: 'projects:\n  - {name: team, upstream: hq, platforms: amd64}' },
    '8:32  projects[0].platforms: expected all, or a list of platforms such as [linux/amd64, linux/arm64], got "amd64"',
  ],
  [
    'a platform without architecture',
    { projects: 'projects:\n  - {name: team, upstream: hq, platforms: [linux/amd64, arm64]}' },
    '8:57  projects[0].platforms[1]: expected a platform such as linux/amd64 or linux/arm/v7, got "arm64"',
  ],
  [
    'a project of two components',
    { projects: 'projects:\n  - {name: team/app, upstream: hq}' },
    '8:6  projects[0].name: expected the first path component of a repository, such as team, or "*" for all other projects, got "team/app"',
  ],
  [
    'an upstream that is not there',
    { projects: 'projects:\n  - {name: team, upstream: hg}' },
    '8:18  projects[0].upstream: expected an upstream (hq; did you mean hq?), got "hg"',
  ],
  [
    'an upstream named twice in one project',
    { projects: 'projects:\n  - {name: team, upstream: [hq, hq]}' },
    '8:33  projects[0].upstream[1]: this upstream stands here twice',
  ],
  [
    'two projects of one name',
    { projects: 'projects:\n  - {name: team, upstream: hq}\n  - {name: team, upstream: hq}' },
    '9:6  projects[1].name: another project has this name already',
  ],
  [
    'two projects that mirror the same',
    {
      projects:
        'projects:\n  - {name: team, upstream: hq}\n  - {name: crew, upstream: [hq], upstreamProject: team}',
    },
    '9:34  projects[1].upstreamProject: another project already mirrors this project of the same upstream: a push there could not be told apart',
  ],
  [
    'upstreamProject for all projects',
    { projects: 'projects:\n  - {name: "*", upstream: hq, upstreamProject: team}' },
    '8:31  projects[0].upstreamProject: the project "*" keeps the names of the upstream: remove upstreamProject',
  ],
  [
    'an upstream id with capitals',
    {
      upstreams: 'upstreams:\n  hq: {url: "https://hq.example"}\n  HQ: {url: "https://hq.example"}',
    },
    '6:3  upstreams.HQ: "HQ" is not an id: expected 1 to 63 lower-case letters, digits, "-" or "_", starting with a letter or digit',
  ],
  [
    'an upstream called local',
    {
      upstreams:
        'upstreams:\n  hq: {url: "https://hq.example"}\n  local: {url: "https://l.example"}',
    },
    '6:3  upstreams.local: the id "local" means the local registry',
  ],
  [
    'a source without secret',
    { sources: 'sources:\n  edge: {format: distribution, registry: local}' },
    '11:3  sources.edge: needs a secret or secretFile: without one anybody could post events',
  ],
  [
    'three secrets',
    { sources: 'sources:\n  edge: {format: distribution, registry: local, secret: [a, b, c]}' },
    '11:49  sources.edge.secret: at most 2 are allowed',
  ],
  [
    'both forms of a secret',
    {
      sources:
        'sources:\n  edge: {format: distribution, registry: local, secret: a, secretFile: /run/full}',
    },
    '11:60  sources.edge.secretFile: use secret or secretFile, not both',
  ],
  [
    'an unknown format',
    { sources: 'sources:\n  edge: {format: habor, registry: local, secret: a}' },
    '11:10  sources.edge.format: expected distribution, harbor, zot, quay, dockerhub, github, gitlab, gitea, acr, ecr, gar, artifactory, nexus, cloudevents or pull-miss (did you mean harbor?), got "habor"',
  ],
  [
    'a token without its owner',
    { sources: 'sources:\n  edge: {format: gar, registry: hq, audience: a}' },
    '11:3  sources.edge: format gar needs email: for whom the token of a delivery is, and of which account',
  ],
  [
    'a secret beside a token',
    { sources: 'sources:\n  edge: {format: gar, registry: hq, audience: a, email: b, secret: c}' },
    '11:60  sources.edge.secret: format gar proves itself with a signed token and has no secret',
  ],
  [
    'a token where there is none',
    { sources: 'sources:\n  edge: {format: quay, registry: hq, secret: a, email: b}' },
    '11:49  sources.edge.email: only sources of format gar have this key',
  ],
  [
    'keys over plain http',
    {
      sources:
        'sources:\n  edge: {format: gar, registry: hq, audience: a, email: b, keysUrl: "http://keys.example"}',
    },
    '11:60  sources.edge.keysUrl: expected an https URL, got "http://keys.example"',
  ],
  [
    'a source of an unknown registry',
    { sources: 'sources:\n  edge: {format: distribution, registry: hg, secret: a}' },
    '11:32  sources.edge.registry: expected local or an upstream (hq; did you mean hq?), got "hg"',
  ],
  [
    'both forms of a password',
    {
      local: 'local: {url: "https://r.example", username: u, password: p, passwordFile: /run/full}',
    },
    '2:61  local.passwordFile: use password or passwordFile, not both',
  ],
  [
    'a username alone',
    { local: 'local: {url: "https://r.example", username: u}' },
    '2:35  local.username: a username needs a password or passwordFile',
  ],
  [
    'a password alone',
    { local: 'local: {url: "https://r.example", passwordFile: /run/full}' },
    '2:35  local.passwordFile: a password needs a username',
  ],
  [
    'credentials from two places',
    { local: 'local: {url: "https://r.example", username: u, password: p, auth: ecr}' },
    '2:61  local.auth: credentials come from one place only: username with passwordFile, dockerConfig, accessTokenFile or auth',
  ],
  [
    'two sources of credentials without a password',
    { local: 'local: {url: "https://r.example", dockerConfig: /run/docker, auth: ecr}' },
    '2:62  local.auth: credentials come from one place only: username with passwordFile, dockerConfig, accessTokenFile or auth',
  ],
  [
    'a username beside what brings its own',
    { local: 'local: {url: "https://r.example", username: u, auth: gar}' },
    '2:35  local.username: auth brings the username, too',
  ],
  [
    'a cloud that is none',
    { local: 'local: {url: "https://r.example", auth: ecs}' },
    '2:35  local.auth: expected ecr, gar or acr (did you mean ecr?), got "ecs"',
  ],
  [
    'a docker config that is none',
    { local: 'local: {url: "https://r.example", dockerConfig: /run/full}' },
    "2:35  local.dockerConfig: the file /run/full holds no JSON object: expected a docker client's config.json",
  ],
  [
    'a client certificate without its key',
    { local: 'local: {url: "https://r.example", clientCertFile: /run/cert}' },
    '2:35  local.clientCertFile: clientCertFile and clientKeyFile belong together: set both',
  ],
  [
    'a client certificate over plain http',
    {
      local:
        'local: {url: "http://127.0.0.1:5000", clientCertFile: /run/cert, clientKeyFile: /run/key}',
    },
    '2:39  local.clientCertFile: a client certificate is only shown over https',
  ],
  [
    'a key that is a certificate',
    {
      local:
        'local: {url: "https://r.example", clientCertFile: /run/cert, clientKeyFile: /run/cert}',
    },
    '2:62  local.clientKeyFile: the file /run/cert holds no private key: expected PEM text (-----BEGIN PRIVATE KEY-----)',
  ],
  [
    'a key that needs a passphrase',
    {
      local:
        'local: {url: "https://r.example", clientCertFile: /run/cert, clientKeyFile: /run/locked}',
    },
    '2:62  local.clientKeyFile: the file /run/locked holds a private key that is encrypted: there is nobody to ask for its passphrase',
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
  [
    'an unset variable',
    { listen: 'listen: ${NOBODY_SETS_THIS}' },
    '1:1  listen: the environment variable NOBODY_SETS_THIS is not set',
  ],
  [
    'a variable without closing brace',
    { listen: 'listen: 0.0.0.0:${PORT' },
    '1:1  listen: expected ${NAME} or ${NAME:-default} after "$" (write $$ for a literal "$")',
  ],
  [
    'a file that is not there',
    { local: 'local: {url: "https://r.example", username: u, passwordFile: gone}' },
    '2:48  local.passwordFile: cannot read the file /etc/pullsync/gone: there is no such file',
  ],
  [
    'an empty secret file',
    { local: 'local: {url: "https://r.example", username: u, passwordFile: /run/empty}' },
    '2:48  local.passwordFile: the file /run/empty is empty',
  ],
  [
    'certificates that are none',
    { local: 'local: {url: "https://r.example", caFile: /run/full}' },
    '2:35  local.caFile: the file /run/full holds no certificate: expected PEM text (-----BEGIN CERTIFICATE-----)',
  ],
  [
    'an unquoted star',
    { projects: 'projects:\n  - {name: team, upstream: hq, tags: {include: [*]}}' },
    '8:49  a value that starts with "*" is a YAML alias: put it in quotes',
  ],
  [
    'two unquoted stars',
    { projects: 'projects:\n  - {name: team, upstream: hq, tags: {include: [**]}}' },
    '8:49  projects[0].tags.include[0]: a value that starts with "*" is a YAML alias: put it in quotes',
  ],
  [
    'a key that stands twice',
    { listen: 'listen: :1\nlisten: :2' },
    '2:1  the key stands here twice',
  ],
  [
    'a merge of what is no mapping',
    { projects: 'projects:\n  - {name: team, upstream: hq, <<: [1]}' },
    '8:32  projects[0]["<<"]: expected a mapping to merge in, or an alias of one',
  ],
  [
    'a tab',
    { local: 'local:\n\turl: http://127.0.0.1:5000' },
    '3:1  indent with spaces: YAML allows no tabs there',
  ],
  [
    'a second document',
    { more: '---\nlisten: :1' },
    '15:1  expected one YAML document, and "---" begins another',
  ],
  [
    'a list as the whole',
    { listen: '- a', local: '', upstreams: '', projects: '', sources: '' },
    '1:1  expected a mapping (keys with values), got a list',
  ],
]

describe('a configuration with a mistake', () => {
  it.each(MISTAKES)('says what is wrong with %s', (_, parts, expected) => {
    const problems = problemsOf(yamlWith(parts), {
      files: {
        '/run/full': 'hunter2\n',
        '/run/empty': '\n',
        '/run/docker': '{}',
        '/run/cert': '-----BEGIN CERTIFICATE-----',
        '/run/key': '-----BEGIN EC PRIVATE KEY-----',
        '/run/locked': '-----BEGIN ENCRYPTED PRIVATE KEY-----',
      },
    })

    expect(new ConfigError('pullsync.yaml', problems).message).toBe(`pullsync.yaml:${expected}`)
  })

  it('lists five mistakes at once, in the order of the file', () => {
    const text = yamlWith({
      listen: 'listen: 8080',
      local:
        'local: {url: "http://127.0.0.1:5000", username: "${NOBODY_SETS_THIS}", passwordFile: gone}',
      projects: 'projects:\n  - {name: team, upstream: hg, onMis: stream}',
    })

    expect(problemsOf(text).map(({ line, path }) => [line, path])).toEqual([
      [1, 'listen'],
      [2, 'local.username'],
      [2, 'local.passwordFile'],
      [7, 'projects[0].upstream'],
      [7, 'projects[0].onMis'],
    ])
  })

  it('still finds what stands before a YAML error, and guesses at nothing after it', () => {
    const text = yamlWith({
      listen: 'listen: 8080',
      projects: 'projects: [{name: team, upstream: hg}',
    })

    expect(problemsOf(text).map(({ line, path }) => [line, path])).toEqual([
      [1, 'listen'],
      [8, ''],
    ])
  })

  it('says so when the file is empty', () => {
    const [problem] = problemsOf('# nothing yet\n')

    expect(problem?.message).toContain('the file is empty: expected at least local, upstreams')
  })

  it.each([
    ['an alias bomb', `${bomb()}\n`, 'stand for too many values'],
    ['a depth that exhausts the parser', '['.repeat(5_000), 'nested too deeply'],
    ['a depth of lists', `a: \n ${'- '.repeat(5_000)}`, 'nested too deeply'],
    ['a depth by indentation', deep(), 'nested too deeply'],
  ])('refuses %s', (_, text, expected) => {
    const [problem] = problemsOf(text)

    expect(problem?.message).toContain(expected)
  })

  it.each([
    ['secret: ${SECRET}'],
    ['secret: [hunter2, 7]'],
    ['secret: 1928374'],
    ['secret: [a, 1928374]'],
    ['secret: {hunter2: 1}'],
    ['secret: *hunter2'],
    ['secret: "hunter2'],
    ['secret: hunter2, scret: hunter2'],
    ['secret: !hunter2 x'],
    ['secret: [a, b, hunter2]'],
    ['registry: "https://me:hunter2/x@hq.example"'],
    ['registry: "${SECRET}"'],
    ['secret: "x" hunter2'],
  ])('never shows a secret: %s', (line) => {
    const text = yamlWith({ sources: `sources:\n  edge: {format: distribution, ${line}}` })
    const problems = problemsOf(text, { env: { SECRET: 'hunter2' } })

    expect(problems).not.toEqual([])
    expect(new ConfigError('f', problems).message).not.toMatch(/hunter2|1928374/)
  })
})

function bomb(): string {
  const levels = Array.from({ length: 12 }, (_, level) => {
    const from = level === 0 ? 'x' : `*a${level - 1}`
    return `a${level}: &a${level} [${Array<string>(9).fill(from).join(', ')}]`
  })
  return levels.join('\n')
}

function deep(): string {
  return Array.from({ length: 3_000 }, (_, level) => `${' '.repeat(level)}a:`).join('\n')
}
