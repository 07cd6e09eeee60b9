import { type Digest, isDigest, parseDigest } from './digest.ts'
import { type Parsed, parsed, quoted, unparsable } from './parsed.ts'

/** A repository name as in the OCI distribution-spec, "Pulling manifests": `team/app`. */
export type Repository = string & { readonly __brand: 'Repository' }
/** A tag as in the OCI distribution-spec, "Pulling manifests": at most 128 characters. */
export type Tag = string & { readonly __brand: 'Tag' }
/** What a manifest is asked for by. A digest has a colon and a tag cannot. */
export type Reference = Tag | Digest

// distribution refuses names over 255 characters (reference.NameTotalLengthMax); so do Harbor and zot.
const MAX_REPOSITORY_LENGTH = 255
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/

export function parseRepository(text: string): Parsed<Repository> {
  if (text.length === 0) return unparsable('the repository name is empty')
  if (text.length > MAX_REPOSITORY_LENGTH) {
    return unparsable(
      `${quoted(text)} is not a repository name: ${text.length} characters, at most ${MAX_REPOSITORY_LENGTH} are allowed`,
    )
  }
  const wrong = text.split('/').find((component) => !COMPONENT.test(component))
  if (wrong !== undefined) {
    return unparsable(
      `${quoted(text)} is not a repository name: ${wrong === '' ? 'it has an empty part' : `${quoted(wrong)} must be lower-case letters and digits, separated by ".", "_", "__" or "-"`}`,
    )
  }
  return parsed(text as Repository)
}

export function parseTag(text: string): Parsed<Tag> {
  if (TAG.test(text)) return parsed(text as Tag)
  return unparsable(
    `${quoted(text)} is not a tag: expected 1 to 128 letters, digits, "_", "." or "-", not starting with "." or "-"`,
  )
}

export function parseReference(text: string): Parsed<Reference> {
  return text.includes(':') ? parseDigest(text) : parseTag(text)
}

export function isTag(reference: Reference): reference is Tag {
  return !isDigest(reference)
}

export interface ImageName {
  readonly repository: Repository
  readonly reference: Reference
}

/** `team/app`, `team/app:1.0` or `team/app@sha256:…`; without a reference the tag is `latest`. */
export function parseImageName(text: string): Parsed<ImageName> {
  const [, name = '', separator, rest = ''] = /^([^:@]*)([:@])?(.*)$/s.exec(text) ?? []
  const repository = parseRepository(name)
  if (!repository.ok) return repository
  const reference = parseImageReference(separator, rest)
  if (!reference.ok) return reference
  return parsed({ repository: repository.value, reference: reference.value })
}

function parseImageReference(separator: string | undefined, rest: string): Parsed<Reference> {
  if (separator === undefined) return parsed('latest' as Tag)
  return separator === '@' ? parseDigest(rest) : parseTag(rest)
}

/** How people write the image: `team/app:1.0`, `team/app@sha256:…`. */
export function formatImageName(repository: string, reference: string): string {
  return `${repository}${reference.includes(':') ? '@' : ':'}${reference}`
}

/** The first path component: what Harbor calls the project. */
export function projectOf(repository: Repository): string {
  return repository.split('/', 1)[0] ?? repository
}
