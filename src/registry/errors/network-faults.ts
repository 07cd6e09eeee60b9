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

/** @param host whose answer was waited for, with its port */
export function explain(code: string, cause: unknown, host: string): Fault {
  const text = messageOf(cause)
  const description = text.includes(code) ? text : `${text} (${code})`
  const said = code === 'EPROTO' ? codeInWords(text) : code
  const known = FAULTS.find(({ codes }) =>
    typeof codes === 'function' ? codes(said) : codes.includes(said),
  )
  if (known === undefined) return { disposition: 'transient', description }
  const { disposition = 'permanent', advice, isOfUrl = false } = known
  const adviceThere = (at: RegistryIdentity) =>
    isOfUrl && host !== at.host ? ledTo(host, at) : advice(at)
  return { disposition, description, advice: adviceThere }
}

// All that ends a handshake has the one code; OpenSSL's reason, as Node names it at other times, tells what did.
function codeInWords(reason: string): string {
  return `ERR_SSL_${reason.toUpperCase().replaceAll(' ', '_')}`
}

function ledTo(host: string, at: RegistryIdentity): string {
  return `${capitalised(at.name)} sends us to ${host}, for content or tokens: check that this is right, and that it can be reached from here.`
}

interface KnownFault {
  readonly codes: readonly string[] | ((code: string) => boolean)
  /** `permanent` unless told. */
  readonly disposition?: Disposition
  readonly advice: NonNullable<Fault['advice']>
  /** The advice is for the address in the configuration, and not for where its registry leads to. */
  readonly isOfUrl?: true
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
    isOfUrl: true,
    advice: (at) =>
      `The certificate is for another name: write one of its names in ${at.keys}.url.`,
  },
  {
    codes: (code) => /^ERR_SSL_.*(ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL)/.test(code),
    isOfUrl: true,
    advice: (at) =>
      `The server in ${at.keys}.url speaks older versions of TLS only than are spoken here (1.2 and 1.3): have it speak newer ones.`,
  },
  {
    codes: (code) => /^ERR_SSL_.*UNRECOGNIZED_NAME/.test(code),
    isOfUrl: true,
    advice: (at) =>
      `The server does not go by that name: write one of its names in ${at.keys}.url.`,
  },
  {
    // A missing certificate, a wrong one, and that there is no cipher for both are told alike by some servers.
    codes: (code) => /^ERR_SSL_.*_ALERT_(.*CERTIFICATE|UNKNOWN_CA|DECRYPT|HANDSHAKE)/.test(code),
    advice: (at) =>
      at.showsCertificate
        ? `The server does not accept our certificate, or has no cipher that is spoken here: check ${at.keys}.clientCertFile, who signed it and until when it is valid.`
        : `The server wants a certificate of its clients, or has no cipher that is spoken here: set ${at.keys}.clientCertFile and ${at.keys}.clientKeyFile.`,
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
    codes: ['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG'],
    isOfUrl: true,
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
    isOfUrl: true,
    disposition: 'transient',
    advice: (at) =>
      `The name cannot be looked up from here: check ${at.keys}.url and this machine's DNS.`,
  },
  {
    codes: ['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'],
    isOfUrl: true,
    disposition: 'transient',
    advice: (at) => `Check the network and the firewalls between here and ${at.name}.`,
  },
  {
    codes: ['ECONNREFUSED'],
    isOfUrl: true,
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
