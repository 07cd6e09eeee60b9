/** A mapping of the file of which nothing is known yet. */
export type Mapping = Readonly<Record<string, unknown>>

/** The value if it is a mapping, else an empty one: the schema reports what it is instead. */
export function mappingOf(value: unknown): Mapping {
  return isMapping(value) ? value : {}
}

export function mappingAt(parent: Mapping, key: string): Mapping {
  return mappingOf(parent[key])
}

/** The text there; absent when there is none, or an empty one. */
export function textAt(parent: Mapping, key: string): string | undefined {
  const value = parent[key]
  return typeof value === 'string' && value !== '' ? value : undefined
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
