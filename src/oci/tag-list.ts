import { isObject } from './json.ts'

/**
 * The names in a list of tags, OCI distribution-spec, "Listing Tags"; undefined where it is no such list. Go writes
 * what is empty as null, or leaves it out.
 */
export function parseTagList(json: unknown): readonly string[] | undefined {
  if (!isObject(json)) return undefined
  const { name, tags } = json
  if (tags === null || (tags === undefined && typeof name === 'string')) return []
  const names: readonly unknown[] = Array.isArray(tags) ? tags : [undefined]
  return names.every((tag) => typeof tag === 'string') ? names : undefined
}
