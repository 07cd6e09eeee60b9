import { describe, expect, it } from 'vitest'
import { intentOf } from '../../../../src/gateway/manifests/intent.ts'
import {
  DOCKER_LIST,
  DOCKER_MANIFEST,
  OCI_INDEX,
  OCI_MANIFEST,
} from '../../../../src/oci/media-types.ts'

describe('intentOf', () => {
  it.each([
    ['containerd before a push', 'push', [`${OCI_MANIFEST}, */*`]],
    ['one type', 'push', [OCI_INDEX]],
    ['one type and how much it is wanted', 'push', [`${OCI_INDEX};q=0.5`]],
    ['containerd before a pull', 'pull', [`${OCI_MANIFEST}, ${OCI_INDEX}, ${DOCKER_LIST}, */*`]],
    ['curl', 'pull', ['*/*']],
    ['no word of types', 'pull', []],
    ['crane and oras, whatever for', 'unclear', [`${OCI_MANIFEST},${OCI_INDEX}`]],
    ['regctl, whatever for', 'unclear', [OCI_INDEX, OCI_MANIFEST, DOCKER_MANIFEST]],
  ])('takes the HEAD of %s for a %s', (_, intent, accept) => {
    expect(intentOf({ method: 'HEAD', headersDistinct: { accept } })).toBe(intent)
  })

  it('takes a GET for a pull, whatever it asks for', () => {
    expect(intentOf({ method: 'GET', headersDistinct: { accept: [OCI_INDEX] } })).toBe('pull')
  })
})
