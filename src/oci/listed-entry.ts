import { isObject } from './json.ts'

/** An entry of a list as it stands there; OCI image-spec, descriptor.md. */
export type ListedEntry = Readonly<Record<string, unknown>>

const isText = (value: unknown) => typeof value === 'string'

const KINDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  mediaType: isText,
  artifactType: isText,
  data: isText,
  size: (value) => typeof value === 'number',
  urls: (value) => Array.isArray(value) && value.every(isText),
  annotations: (value) => isObject(value) && Object.values(value).every(isText),
  platform: isObject,
}

/**
 * The entry without what is of another kind than the image-spec says: clients in Go, and registries that the
 * list is pushed to, would refuse the whole list for it.
 */
export function withoutWrongKinds(entry: ListedEntry): ListedEntry {
  const isRight = ([name, value]: [string, unknown]) => KINDS[name]?.(value) ?? true
  const fields = Object.entries(entry)
  return fields.every(isRight) ? entry : Object.fromEntries(fields.filter(isRight))
}
