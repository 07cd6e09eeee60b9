import { describe, expect, it } from 'vitest'
import { configOf, yamlWith } from './parsed-yaml.ts'
import { CERTIFICATE, KEY } from './pem-files.ts'

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
    const [cert, key] = [CERTIFICATE, KEY]
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
          '/etc/pullsync/ca.pem': CERTIFICATE,
          '/etc/pullsync/new': 'n',
          '/run/old': 'o\n',
        },
      },
    )

    expect(config.local).toMatchObject({
      username: 'u',
      password: 'pass word',
      ca: CERTIFICATE,
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
        sources: 'sources: {edge: {format: github, registry: local, secret: "${SECRET}"}}',
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
