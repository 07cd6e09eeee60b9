import type { Descriptor } from './descriptor.ts'
import { algorithmOf, type Digest, digestOf } from './digest.ts'
import {
  isIndexType,
  isManifestType,
  isSchema1Type,
  OCI_ARTIFACT_MANIFEST,
  OCI_INDEX,
  OCI_MANIFEST,
} from './media-types.ts'
import { isObject, parseJson } from './json.ts'
import { parseDescriptor } from './parse-descriptor.ts'
import { type Parsed, parsed, quoted, unparsable } from './parsed.ts'

/** The distribution-spec lets registries refuse manifests above this; every one known here does. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024

/**
 * A manifest or index with the bytes it came in. The bytes are what is pushed: re-serialising
 * would change the digest, and every signature with it.
 */
export interface Manifest {
  readonly mediaType: string
  readonly digest: Digest
  readonly bytes: Buffer
  /** Manifests that must be in the target before this one: the children of an index. */
  readonly children: readonly Descriptor[]
  /** Config and layers. */
  readonly blobs: readonly Descriptor[]
  /** What this manifest refers to, if it is a referrer. */
  readonly subject?: Descriptor
}

/**
 * @param expected the digest that was asked for; decides the algorithm too
 * @returns why not, when the bytes are not a manifest that can be copied byte-exact
 */
export function parseManifest(
  bytes: Buffer,
  contentType: string,
  expected?: Digest,
): Parsed<Manifest> {
  const digest = digestOf(bytes, expected === undefined ? 'sha256' : algorithmOf(expected))
  if (expected !== undefined && digest !== expected) {
    return unparsable(`the manifest's bytes are ${digest}, asked for was ${expected}`)
  }
  const json = parseJson(bytes)
  if (!isObject(json)) return unparsable('the manifest is not a JSON object')
  const mediaType = mediaTypeOf(contentType, json)
  const wrong = whyNotType(mediaType, json) ?? whyAmbiguous(mediaType, json)
  return wrong === undefined ? withContent({ mediaType, digest, bytes }, json) : unparsable(wrong)
}

/**
 * The manifest's own word goes first: it is covered by the digest, and the distribution-spec ("Pushing
 * Manifests") wants it repeated in the push. Some registries answer text/plain, and manifests of
 * image-spec 1.0 need not name their type, so what a manifest looks like goes last.
 */
function mediaTypeOf(contentType: string, json: Record<string, unknown>): string {
  const own = json['mediaType']
  if (typeof own === 'string' && own !== '') return own
  const declared = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (isManifestType(declared) || json['schemaVersion'] !== 2) return declared
  if (has(json, 'manifests')) return OCI_INDEX
  return has(json, 'config') && has(json, 'layers') ? OCI_MANIFEST : declared
}

function whyNotType(mediaType: string, json: Record<string, unknown>): string | undefined {
  if (isSchema1Type(mediaType) || json['schemaVersion'] === 1) {
    return 'it is a Docker schema 1 manifest, which registries re-sign on the way out, so it has no digest that survives a copy; rebuild or re-push the image with a current client'
  }
  if (mediaType === '') return 'neither the answer nor the manifest says of what media type it is'
  if (isManifestType(mediaType)) return undefined
  return `${quoted(mediaType)} is not a manifest media type that pullsync knows`
}

// Bytes that one client takes for an image and another for an index: CVE-2021-41190.
function whyAmbiguous(mediaType: string, json: Record<string, unknown>): string | undefined {
  const foreign = isIndexType(mediaType) ? ['config', 'layers', 'fsLayers'] : ['manifests']
  const found = foreign.find((name) => has(json, name))
  if (found === undefined) return undefined
  return `it says that it is ${mediaType}, but has "${found}", which makes it something else to other clients; push it upstream again with a current client`
}

function withContent(
  head: Pick<Manifest, 'mediaType' | 'digest' | 'bytes'>,
  json: Record<string, unknown>,
): Parsed<Manifest> {
  const listed = listedIn(head.mediaType, json)
  if (!listed.ok) return listed
  const subject = has(json, 'subject') ? parseDescriptor(json['subject']) : undefined
  if (subject?.ok === false) return subject
  const index = isIndexType(head.mediaType)
  return parsed({
    ...head,
    children: index ? listed.value : [],
    blobs: index ? [] : listed.value,
    ...(subject && { subject: subject.value }),
  })
}

function listedIn(mediaType: string, json: Record<string, unknown>): Parsed<Descriptor[]> {
  if (isIndexType(mediaType)) return descriptorsIn(json, 'manifests')
  const layers = descriptorsIn(json, mediaType === OCI_ARTIFACT_MANIFEST ? 'blobs' : 'layers')
  if (!layers.ok || !has(json, 'config')) return layers
  const config = parseDescriptor(json['config'])
  return config.ok ? parsed([config.value, ...layers.value]) : config
}

function descriptorsIn(json: Record<string, unknown>, name: string): Parsed<Descriptor[]> {
  const list = json[name] ?? []
  if (!Array.isArray(list)) return unparsable(`the manifest's "${name}" is not a list`)
  const descriptors: Descriptor[] = []
  for (const entry of list) {
    const descriptor = parseDescriptor(entry)
    if (!descriptor.ok) return descriptor
    descriptors.push(descriptor.value)
  }
  return parsed(descriptors)
}

// Go writes what is empty as null.
function has(json: Record<string, unknown>, name: string): boolean {
  return json[name] !== undefined && json[name] !== null
}
