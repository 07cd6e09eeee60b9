import { rootCertificates, type SecureContextOptions } from 'node:tls'
import type { RegistryConfig } from '../config/config.ts'
import type { Zone } from './guard.ts'

/** Whom to trust, and what to show: who we are is not the business of hosts that a registry names. */
export function tlsOptions(
  { ca, clientCertificate }: Pick<RegistryConfig, 'ca' | 'clientCertificate'>,
  zone: Zone,
): SecureContextOptions {
  return {
    ...(ca !== undefined && { ca: [...rootCertificates, ca] }),
    ...(zone === 'home' && clientCertificate),
  }
}
