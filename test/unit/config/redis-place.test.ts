import { describe, expect, it } from 'vitest'
import { configOf, problemsOf, yamlWith } from './parsed-yaml.ts'

describe('where Redis is', () => {
  it('is told by Sentinels and a name, with the login of the primary', () => {
    const more =
      "redis: { sentinels: ['10.0.0.1:26379', '[fd00::2]:26379'], name: jobs, password: 'a b' }"

    expect(configOf(yamlWith({ more })).redis).toEqual({
      url: 'redis://:a%20b@10.0.0.1:26379',
      sentinels: {
        addresses: [
          { host: '10.0.0.1', port: 26_379 },
          { host: 'fd00::2', port: 26_379 },
        ],
        name: 'jobs',
      },
    })
  })

  it('may be guarded: Sentinels have a login of their own, and TLS is spoken with all', () => {
    const more =
      "redis: { sentinels: ['a:26379'], name: jobs, tls: true, sentinelLogin: { username: u, password: p } }"

    expect(configOf(yamlWith({ more })).redis).toEqual({
      url: 'rediss://a:26379',
      sentinels: {
        addresses: [{ host: 'a', port: 26_379 }],
        name: 'jobs',
        username: 'u',
        password: 'p',
      },
    })
  })

  it('is told by any nodes of a Redis Cluster', () => {
    const more = "redis: { cluster: ['a:7000', 'b:7000'], username: u, password: p, tls: true }"

    expect(configOf(yamlWith({ more })).redis).toEqual({
      url: 'rediss://u:p@a:7000',
      cluster: [
        { host: 'a', port: 7_000 },
        { host: 'b', port: 7_000 },
      ],
    })
  })

  it.each([
    ["{ url: redis://a, cluster: ['a:1'] }", 'redis.cluster', 'use url or cluster, not both'],
    ["{ cluster: ['a:1'], name: x }", 'redis.name', 'go together'],
    ['{ url: redis://a, tls: true }', 'redis.tls', 'rediss://'],
    [
      '{ url: redis://a, sentinelLogin: { password: p } }',
      'redis.sentinelLogin',
      'only used with sentinels',
    ],
    [
      "{ sentinels: ['a:1'], name: x, sentinelLogin: { username: u } }",
      'redis.sentinelLogin.username',
      'needs a password',
    ],
    ['{}', 'redis.url', 'set url, sentinels and name, or cluster'],
    ["{ sentinels: ['a:1'] }", 'redis.name', 'go together'],
    ['{ url: redis://a, name: jobs }', 'redis.name', 'go together'],
    ["{ url: redis://a, sentinels: ['a:1'], name: x }", 'redis.sentinels', 'not both'],
    ["{ sentinels: ['a'], name: x }", 'redis.sentinels[0]', 'expected'],
  ])('%s is refused at %s', (redis, path, words) => {
    const problems = problemsOf(yamlWith({ more: `redis: ${redis}` }))

    expect(problems.map((problem) => problem.path)).toEqual([path])
    expect(problems[0]?.message).toContain(words)
  })
})
