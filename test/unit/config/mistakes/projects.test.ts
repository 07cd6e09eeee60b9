import { describe, expect, it } from 'vitest'
import { type Mistake, saidOf } from './mistake.ts'

const MISTAKES: readonly Mistake[] = [
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
]

describe('a configuration with a mistake', () => {
  it.each(MISTAKES)('says what is wrong with %s', (_, parts, expected) => {
    expect(saidOf(parts)).toBe(`pullsync.yaml:${expected}`)
  })
})
