import { isObject, parseJson } from '../../oci/json.ts'
import { readBounded } from '../../config/reading/read-bounded.ts'
import { oneLine } from '../errors/error-body.ts'
import type { RegistryIdentity } from '../words/identity.ts'
import { FILE_FRESH_MS } from './access-token-file.ts'
import { credentialFailure } from './credential-failure.ts'
import { askHelper } from './credential-helper.ts'
import type { FetchCredentials } from '../words/credentials.ts'
import { type DockerLogin, dockerLogin, serverAddresses } from './docker-auths.ts'

// What a helper gives may be short-lived, and it does not tell.
const HELPER_FRESH_MS = 60_000

/** A docker client's `config.json`, read again whenever it is used. */
export function dockerConfigCredentials(
  registry: RegistryIdentity,
  file: string,
  url: URL,
): FetchCredentials {
  return async (signal) => {
    const login = await readLogin(registry, file, url)
    if (login.helper !== undefined) {
      const ask = { registry, helper: login.helper, signal }
      for (const server of serverAddresses(url)) {
        const credentials = await askHelper({ ...ask, server })
        if (credentials !== undefined) return { credentials, freshForMs: HELPER_FRESH_MS }
      }
    }
    if (login.credentials === undefined) throw nothingFor(registry, file, url, login)
    return { credentials: login.credentials, freshForMs: FILE_FRESH_MS }
  }
}

async function readLogin(registry: RegistryIdentity, file: string, url: URL): Promise<DockerLogin> {
  const read = await readBounded(file)
  const config = read.ok ? parseJson(read.text) : undefined
  if (isObject(config)) return dockerLogin(config, url)
  const why = read.ok ? 'it holds no JSON object' : read.reason
  const what = `cannot read ${registry.keys}.dockerConfig ${file}: ${why}.`
  // It may be in the middle of being written.
  throw credentialFailure(registry, what, 'transient')
}

function nothingFor(registry: RegistryIdentity, file: string, { host }: URL, login: DockerLogin) {
  const { helper, known, part } = login
  const names = known.length === 0 ? 'nothing' : oneLine(known.join(', '))
  const asked = helper === undefined ? '' : `, nor has docker-credential-${oneLine(helper)}`
  const partly =
    part === undefined
      ? ''
      : `; ${oneLine(part)} is for some of its images, and is not shown for others`
  const what = `${registry.keys}.dockerConfig ${file} has no credentials for ${host}${asked}; it has ${names}${partly}. Run "docker login ${host}" with it, or remove the key to go without credentials.`
  return credentialFailure(registry, what, 'permanent')
}
