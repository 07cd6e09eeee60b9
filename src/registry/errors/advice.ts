import type { RegistryIdentity } from '../words/identity.ts'

export function credentials(at: RegistryIdentity): string {
  if (at.anonymous) return anonymousAdvice(at)
  return `Check ${at.credentialKeys}: the account is unknown, expired, or may not ${at.side === 'local' ? 'push to' : 'pull from'} this repository.`
}

export function permission(at: RegistryIdentity): string {
  if (at.anonymous) return anonymousAdvice(at)
  return at.side === 'local'
    ? `Give the account of ${at.accountKey} the right to push to this repository.`
    : `Give the account of ${at.accountKey} the right to pull this repository, and check the repository's name: some registries answer this for what does not exist.`
}

// Docker Hub, GHCR and Quay do not tell strangers whether a private repository exists.
function anonymousAdvice(at: RegistryIdentity): string {
  return at.side === 'local'
    ? `Set ${at.credentialKeys}.`
    : `Without credentials many registries answer this also for a repository that does not exist: check its name, or set ${at.credentialKeys}.`
}

export function login(at: RegistryIdentity): string {
  return at.anonymous
    ? `Set ${at.credentialKeys}.`
    : `Check ${at.credentialKeys}: the account is unknown, expired or locked.`
}

export function rateLimit(at: RegistryIdentity): string {
  return at.anonymous
    ? `${capitalised(at.name)} limits the rate of requests: credentials in ${at.keys} often raise the limit.`
    : `${capitalised(at.name)} limits the rate of requests.`
}

export function foreignUrls(at: RegistryIdentity): string {
  return `The image has layers that clients fetch from other addresses, which ${at.name} does not allow: set validation.manifests.urls.allow in its configuration.`
}

export function unknownManifest(at: RegistryIdentity): string {
  return `${capitalised(at.name)} does not take manifests of this kind; a newer version of it may. zot takes Docker's with http.compat: ["docker2s2"] in its configuration.`
}

export function untilSigned(at: RegistryIdentity): string {
  return `A policy of ${at.name} withholds the image until it is signed or scanned. It is tried again in a while, and as soon as a signature is told of.`
}

export function capitalised(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`
}
