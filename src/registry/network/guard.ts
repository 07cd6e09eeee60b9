import { lookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import type { RegistryConfig } from '../../config/config.ts'
import { CodedError, FORBIDDEN_HOST } from '../words/coded-error.ts'
import { isPrivateAddress } from './private-address.ts'

/**
 * Whom a URL leads to. `home`: the configured registry's host, or one that the operator trusts; its
 * address may be anything. `abroad`: a host that only an answer named, in a token realm, redirect or
 * upload location; it must not have a private address, or any registry could have us speak with the
 * cloud's metadata service or the operator's other machines.
 */
export type Zone = 'home' | 'abroad'

export type Guard = (url: URL) => Zone

/** Throws a CodedError for hosts that must not be spoken with. */
export function hostGuard(config: Pick<RegistryConfig, 'url' | 'trustedHosts'>): Guard {
  const homes = new Set([config.url.hostname, ...config.trustedHosts].map(bareHost))
  return (url) => {
    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      throw new CodedError(FORBIDDEN_HOST, `${url.protocol} is not a protocol of registries`)
    }
    const host = bareHost(url.hostname)
    if (homes.has(host)) return 'home'
    if (isIP(host) !== 0 && isPrivateAddress(host)) throw forbidden(host, host)
    return 'abroad'
  }
}

/**
 * Resolves names for connections abroad. The check is made on the very addresses that are connected
 * to, so a name that resolves differently a moment later gains nothing.
 */
export const guardedLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) {
      callback(error, '')
      return
    }
    const [first] = addresses
    const wrong = addresses.find(({ address }) => isPrivateAddress(address))
    if (wrong !== undefined || first === undefined) {
      callback(forbidden(hostname, wrong?.address ?? 'nothing'), '')
    } else if (options.all === true) {
      callback(null, addresses)
    } else {
      callback(null, first.address, first.family)
    }
  })
}

/**
 * For a host abroad that a proxy will resolve: resolves it here first. What cannot be resolved here
 * cannot be judged either, and is not asked for. Throws a CodedError.
 */
export async function checkName(hostname: string, resolve: typeof lookup = lookup): Promise<void> {
  const host = bareHost(hostname)
  await new Promise<void>((done, refuse) => {
    resolve(host, { all: true }, (error, addresses) => {
      const wrong = error === null && addresses.find(({ address }) => isPrivateAddress(address))
      if (error !== null) refuse(unknown(host, error))
      else if (wrong) refuse(forbidden(host, wrong.address))
      else done()
    })
  })
}

/** As hosts are compared: without the brackets of IPv6 and the dot at the end of a full name. */
export function bareHost(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
}

function forbidden(host: string, address: string): CodedError {
  const leads = host === address ? 'is' : `leads to ${address},`
  return new CodedError(
    FORBIDDEN_HOST,
    `the registry names the host ${host}, which ${leads} a private address`,
  )
}

// That the one who knows the names did not answer says nothing of this one.
function unknown(host: string, { code }: NodeJS.ErrnoException): CodedError {
  return new CodedError(
    code === 'EAI_AGAIN' ? code : FORBIDDEN_HOST,
    `the registry names the host ${host}, whose address cannot be looked up here, so it may be a private one behind the proxy`,
  )
}
