import { describe, expect, it } from 'vitest'
import { imageArgument } from '../../../src/cli/image-argument.ts'
import { formatImageName } from '../../../src/oci/reference.ts'
import { configOf, yamlWith } from '../config/parsed-yaml.ts'

const DIGEST = `sha256:${'4e'.repeat(32)}`

const CONFIG = configOf(
  yamlWith({
    listen: 'listen: 0.0.0.0:8080',
    local: 'local: { url: http://registry.edge.example:5000, insecure: true }',
    upstreams: `upstreams:
  hq: { url: https://harbor.hq.example }
  hub: { url: https://registry-1.docker.io }`,
    projects: `projects:
  - { name: team, upstream: hq }
  - { name: tools, upstream: hq, upstreamProject: platform }
  - { name: dotted.name, upstream: hq }
  - { name: library, upstream: hub }`,
  }),
)

function local(text: string): string {
  const { repository, reference } = imageArgument(text, CONFIG)
  return formatImageName(repository, reference)
}

describe('an image as it is pasted', () => {
  it.each([
    ['team/app', 'team/app:latest'],
    ['team/app:1.0', 'team/app:1.0'],
    [`team/app:1.0@${DIGEST}`, `team/app@${DIGEST}`],
    [`registry.edge.example:5000/team/app:1.0@${DIGEST}`, `team/app@${DIGEST}`],
    ['localhost:8080/team/app:1.0', 'team/app:1.0'],
    ['https://harbor.hq.example/team/app:1.0', 'team/app:1.0'],
    ['docker://harbor.hq.example:443/team/app', 'team/app:latest'],
    ['harbor.hq.example/platform/lint:2', 'tools/lint:2'],
    ['docker.io/library/alpine:3', 'library/alpine:3'],
    ['dotted.name/app:1.0', 'dotted.name/app:1.0'],
  ])('%s is %s here', (text, image) => {
    expect(local(text)).toBe(image)
  })

  it('with a host that the configuration does not know is refused, with what may have been meant', () => {
    expect(() => local('quay.example/team/app:1.0')).toThrow(
      /quay\.example is neither the local registry nor an upstream .* write that/,
    )
    expect(() => local('quay.example/team/app:1.0')).toThrow(/team\/app:1\.0/)
  })

  it('of an upstream that no project takes it from is refused, with both names', () => {
    expect(() => local('harbor.hq.example/secret/app')).toThrow(/secret\/app from hq/)
  })

  it('that is no name is refused with the reason', () => {
    expect(() => local('team/App')).toThrow(/"App" must be lower-case/)
  })
})
