import {
  createSecureContext,
  rootCertificates,
  type SecureContext,
  type SecureContextOptions,
} from 'node:tls'
import type { RegistryConfig } from '../../config/config.ts'
import type { Zone } from '../network/guard.ts'

type Parts = Pick<RegistryConfig, 'ca' | 'clientCertificate'>

/** Whom to trust, and what to show: who we are is not the business of hosts that a registry names. */
export function tlsOptions({ ca, clientCertificate }: Parts, zone: Zone): SecureContextOptions {
  return {
    ...(ca !== undefined && { ca: [...rootCertificates, ca] }),
    ...(zone === 'home' && clientCertificate),
  }
}

/**
 * The same for all connections: with an authority of our own, each context reads a hundred and more certificates.
 * Made when the first one is opened, so that what is wrong with a certificate is an error of that.
 */
export function secureContexts(config: Parts): (zone: Zone) => SecureContext {
  const made = new Map<Zone, SecureContext>()
  return (zone) => {
    const context = made.get(zone) ?? createSecureContext(tlsOptions(config, zone))
    made.set(zone, context)
    return context
  }
}
