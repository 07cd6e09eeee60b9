import { hostname } from 'node:os'
import type { Config } from '../config/config.ts'
import { formatImageName, type ImageName, parseImageName } from '../oci/reference.ts'
import { localName } from '../policy/matching.ts'
import { CommandError, usageError } from './command-error.ts'

/**
 * An image as people paste it: `team/app:1.0`, also with a host in front that the configuration knows, and with a
 * digest behind the tag, which counts then. Docker's rule tells what is a host.
 *
 * @throws CommandError for what is no image's name, or has a host that says nothing about where it is here
 */
export function imageArgument(text: string, config: Config): ImageName {
  const [, host, rest = text] = /^([^/]+)\/(.+)$/s.exec(withoutScheme(text)) ?? []
  if (host === undefined || !isHost(host, config)) return parsed(withoutTag(text))
  const image = parsed(withoutTag(rest))
  if (isHere(host, config)) return image
  const upstreams = [...config.upstreams.values()].filter(({ url }) => isHostOf(host, url))
  if (upstreams.length === 0) throw new CommandError(unknownHost(host, image, config))
  for (const { id } of upstreams) {
    const local = localName(image.repository, id, config.projects)
    if (local?.repository !== undefined) return { ...image, repository: local.repository }
  }
  throw new CommandError(
    `no project of ${config.file} takes ${image.repository} from ${upstreams.map(({ id }) => id).join(' or ')} (${host})`,
  )
}

function parsed(text: string): ImageName {
  const image = parseImageName(text)
  if (!image.ok) throw usageError(image.reason)
  return image.value
}

function withoutScheme(text: string): string {
  return text.replace(/^(?:https?|docker|oci):\/\//, '')
}

/** Of `team/app:1.0@sha256:…` the tag goes, as clients have it. */
function withoutTag(text: string): string {
  return text.replace(/^([^:@]*):[^:@]*@/, '$1@')
}

function isHost(first: string, { projects }: Config): boolean {
  if (projects.some(({ name }) => name === first)) return false
  return first === 'localhost' || /[.:]/.test(first)
}

/** The local registry, or the gateway before it. */
function isHere(host: string, { local, listen }: Config): boolean {
  if (isHostOf(host, local.url) || (local.redirectBlobsTo && isHostOf(host, local.redirectBlobsTo)))
    return true
  const own = [listen.host, 'localhost', '127.0.0.1', '[::1]', hostname()]
  return own.some((name) => host === `${name}:${listen.port}`)
}

function isHostOf(host: string, url: URL): boolean {
  // Docker Hub's registry has another name than its images.
  const hub = /^(?:index\.)?docker\.io$/.test(host) && url.host === 'registry-1.docker.io'
  return hub || host === url.host || host === `${url.hostname}:${url.port || defaultPort(url)}`
}

function defaultPort({ protocol }: URL): string {
  return protocol === 'https:' ? '443' : '80'
}

function unknownHost(host: string, { repository, reference }: ImageName, config: Config): string {
  const known = [config.local, ...config.upstreams.values()].map(({ url }) => url.host)
  const name = formatImageName(repository, reference)
  return `${host} is neither the local registry nor an upstream of ${config.file} (${known.join(', ')}). If clients pull it here as ${name}, write that.`
}
