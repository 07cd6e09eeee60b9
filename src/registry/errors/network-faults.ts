import type { Disposition } from '../../replication/errors.ts'
import {
  BAD_PROXY,
  FORBIDDEN_HOST,
  PROXY_FAILED,
  PROXY_REFUSED,
  PROXY_WANTS_LOGIN,
} from '../words/coded-error.ts'
import { capitalised } from './advice.ts'
import { oneLine } from './error-body.ts'
import type { RegistryIdentity } from '../words/identity.ts'

/** What a request that got no answer means. */
export interface Fault {
  readonly disposition: Disposition
  readonly description: string
  readonly advice?: (registry: RegistryIdentity) => string
}

export function explain(code: string, cause: unknown): Fault {
  const text = messageOf(cause)
  const description = text.includes(code) ? text : `${text} (${code})`
  const known = FAULTS.find(({ codes }) =>
    typeof codes === 'function' ? codes(code) : codes.includes(code),
  )
  if (known === undefined) return { disposition: 'transient', description }
  const { disposition = 'permanent', advice } = known
  return { disposition, description, ...(advice !== undefined && { advice }) }
}

interface KnownFault {
  readonly codes: readonly string[] | ((code: string) => boolean)
  /** `permanent` unless told. */
  readonly disposition?: Disposition
  readonly advice?: Fault['advice']
}

// The first that fits explains it.
const FAULTS: readonly KnownFault[] = [
  {
    codes: [
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'SELF_SIGNED_CERT_IN_CHAIN',
      'UNABLE_TO_GET_ISSUER_CERT',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'CERT_UNTRUSTED',
      'CERT_SIGNATURE_FAILURE',
      'INVALID_CA',
    ],
    advice: (at) =>
      `The certificate is not signed by an authority known here: put the authority's PEM file into ${at.keys}.caFile.`,
  },
  {
    codes: ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'],
    advice: (at) =>
      `Renew the server's certificate, or set the clock here; if the authority's own has expired, put its new one into ${at.keys}.caFile.`,
  },
  {
    codes: ['ERR_TLS_CERT_ALTNAME_INVALID'],
    advice: (at) =>
      `The certificate is for another name: write one of its names in ${at.keys}.url.`,
  },
  {
    // A missing certificate and a wrong one are told alike by some servers.
    codes: (code) => /^ERR_SSL_.*_ALERT_(.*CERTIFICATE|UNKNOWN_CA|DECRYPT|HANDSHAKE)/.test(code),
    advice: (at) =>
      at.showsCertificate
        ? `The server does not accept our certificate: check ${at.keys}.clientCertFile, who signed it and until when it is valid.`
        : `The server wants a certificate of its clients: set ${at.keys}.clientCertFile and ${at.keys}.clientKeyFile.`,
  },
  {
    codes: ['ERR_OSSL_X509_KEY_VALUES_MISMATCH'],
    advice: (at) =>
      `${at.keys}.clientKeyFile is not the key of the certificate in ${at.keys}.clientCertFile.`,
  },
  {
    codes: (code) => code.startsWith('ERR_OSSL_'),
    advice: (at) =>
      `A certificate or key is not usable: check ${at.keys}.caFile, ${at.keys}.clientCertFile and ${at.keys}.clientKeyFile.`,
  },
  {
    // OpenSSL's words for a server that answers a TLS handshake in plain http.
    codes: ['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'EPROTO'],
    advice: (at) =>
      `The server does not speak TLS: if it is meant to be plain http, write http:// in ${at.keys}.url and ${at.keys}.insecure: true.`,
  },
  {
    codes: ['HPE_HEADER_OVERFLOW'],
    advice: (at) =>
      `${capitalised(at.name)} or a proxy before it answers with more than 64 KiB of headers: have it send fewer.`,
  },
  {
    codes: [FORBIDDEN_HOST],
    advice: (at) => `If this host belongs to the registry, add it to ${at.keys}.trustedHosts.`,
  },
  {
    codes: [BAD_PROXY],
    advice: () => 'Correct the environment variable, as in HTTPS_PROXY=http://proxy.example:3128.',
  },
  {
    codes: [PROXY_WANTS_LOGIN],
    advice: () => 'Put a username and a password into the address in HTTPS_PROXY.',
  },
  {
    codes: [PROXY_REFUSED],
    advice: () => 'Have the proxy let it through, or name the host in NO_PROXY.',
  },
  {
    codes: [PROXY_FAILED],
    disposition: 'transient',
    advice: () => 'Check the proxy in HTTPS_PROXY or HTTP_PROXY, or name the host in NO_PROXY.',
  },
  {
    codes: ['ENOTFOUND', 'EAI_AGAIN'],
    disposition: 'transient',
    advice: (at) =>
      `The name cannot be looked up from here: check ${at.keys}.url and this machine's DNS.`,
  },
  {
    codes: ['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'],
    disposition: 'transient',
    advice: (at) => `Check the network and the firewalls between here and ${at.name}.`,
  },
  {
    codes: ['ECONNREFUSED'],
    disposition: 'transient',
    advice: (at) => `Check that the registry runs and that ${at.keys}.url is right.`,
  },
]

// An attempt on several addresses fails with an AggregateError whose own message is empty.
export function messageOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.message === '') return messageOf(cause.errors[0])
  const text = cause instanceof Error ? oneLine(withoutSourceLines(cause.message)) : ''
  return text === '' ? 'the connection failed' : text
}

// OpenSSL writes addresses and source files around its few plain words.
function withoutSourceLines(message: string): string {
  return /:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):/.exec(message)?.[1] ?? message
}

export function codeOf(cause: unknown): string {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : ''
  return typeof code === 'string' && code !== '' ? code : 'UNKNOWN'
}
