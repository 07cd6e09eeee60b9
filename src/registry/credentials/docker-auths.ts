import { fieldsOf, isObject } from '../../oci/json.ts'
import { type Credentials, loginOf } from '../words/credentials.ts'

/** What a docker client's config.json says about one registry. */
export interface DockerLogin {
  readonly credentials: Credentials | undefined
  /** The program that keeps its credentials: the ending of `docker-credential-<helper>`. */
  readonly helper: string | undefined
  /** Whatever the file has something for, to be named where this registry is missing. */
  readonly known: readonly string[]
  /** An entry for some of its images only. */
  readonly part: string | undefined
}

/** As docker does it: a registry's own helper, then the store for all, then the file itself. */
export function dockerLogin(config: Readonly<Record<string, unknown>>, url: URL): DockerLogin {
  const auths = fieldsOf(config['auths'])
  const helpers = fieldsOf(config['credHelpers'])
  const names = [...new Set([...Object.keys(auths), ...Object.keys(helpers)].map(nameOf))]
  const own = entryFor(helpers, url)
  const store = config['credsStore']
  const helper = typeof own === 'string' ? own : typeof store === 'string' ? store : ''
  return {
    credentials: credentialsIn(entryFor(auths, url)),
    helper: helper === '' ? undefined : helper,
    known: names,
    part: names.find((name) => name.startsWith(`${url.host}/`)),
  }
}

/** How credential helpers may know it, the likeliest name first. */
export function serverAddresses(url: URL): readonly string[] {
  return isDockerHub(url.host) ? [DOCKER_HUB] : [url.host, url.origin]
}

// Docker Hub's name of the days before this API, which its clients still use for its credentials.
const DOCKER_HUB = 'https://index.docker.io/v1/'
const DOCKER_HUB_HOSTS = new Set([
  'docker.io',
  'index.docker.io',
  'registry-1.docker.io',
  'registry.hub.docker.com',
])

function isDockerHub(host: string): boolean {
  return DOCKER_HUB_HOSTS.has(host)
}

// An upstream is a whole registry. What the file has for a part of it, containers-auth.json(5), is for the images below that
// path, and no account to ask for others with.
function entryFor(entries: Readonly<Record<string, unknown>>, { host }: URL): unknown {
  const hosts = isDockerHub(host) ? DOCKER_HUB_HOSTS : new Set([host])
  const names = Object.keys(entries).filter((name) => hosts.has(nameOf(name)))
  // What clients write today is the shortest.
  const [name] = names.sort((a, b) => rank(a) - rank(b))
  return name === undefined ? undefined : entries[name]
}

function rank(name: string): number {
  return name === DOCKER_HUB ? 0 : name.length
}

// `https://host:443/v1/`, `host/v2/`, `host`: the host, and the port unless it is the usual one; with the path of a part.
function nameOf(name: string): string {
  const address = /^https?:\/\//i.test(name) ? name : `https://${name}`
  if (!URL.canParse(address)) return name
  const { host, pathname } = new URL(address)
  return OF_THE_WHOLE.test(pathname) ? host : `${host}${pathname}`
}

/** Nothing, or that of the API in the days when it was part of the name. */
const OF_THE_WHOLE = /^\/(v[12]\/?)?$/

function credentialsIn(entry: unknown): Credentials | undefined {
  if (!isObject(entry)) return undefined
  const [identityToken, registryToken] = [
    textAt(entry, 'identitytoken'),
    textAt(entry, 'registrytoken'),
  ]
  if (registryToken !== '') return { kind: 'access-token', token: registryToken }
  if (identityToken !== '') return { kind: 'identity-token', token: identityToken }
  const login = LOGIN.exec(decoded(textAt(entry, 'auth')))
  const username = login?.[1] ?? textAt(entry, 'username')
  return username === '' ? undefined : loginOf(username, login?.[2] ?? textAt(entry, 'password'))
}

const LOGIN = /^([^:]+):(.*)$/s

// Docker's own clients have ended it with NULs.
function decoded(auth: string): string {
  return Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '')
}

function textAt(entry: Readonly<Record<string, unknown>>, key: string): string {
  const value = entry[key]
  return typeof value === 'string' ? value : ''
}
