import { rootCertificates } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { tlsOptions } from '../../../../src/registry/transport/tls-options.ts'

const clientCertificate = { cert: 'certificate', key: 'key' }

describe('tlsOptions', () => {
  it('show the client certificate to the registry, and to no host that it names', () => {
    expect(tlsOptions({ clientCertificate }, 'home')).toEqual(clientCertificate)
    expect(tlsOptions({ clientCertificate }, 'abroad')).toEqual({})
  })

  it('trust an own authority beside the well-known ones', () => {
    expect(tlsOptions({ ca: 'own' }, 'abroad')).toEqual({ ca: [...rootCertificates, 'own'] })
  })
})
