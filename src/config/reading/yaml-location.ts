import { type Document, isAlias, isMap, isPair, isScalar, isSeq, type Node } from 'yaml'
import type { ConfigPath } from './config-path.ts'

/** The part of a YAML document at a path, or the nearest above it that there is. */
export interface Located {
  readonly value: unknown
  /** Where its key stands, or the item of a list. */
  readonly offset: number
  /** How many segments of the path the file has. */
  readonly depth: number
}

/** Follows aliases; what a merge key (`<<`) brought in is not found under the mapping it is merged into. */
export function locate(yaml: Document.Parsed, path: ConfigPath): Located {
  let found: Located = { value: yaml.contents, offset: 0, depth: 0 }
  for (const segment of path) {
    const next = step(yaml, found, segment)
    if (next === undefined) return found
    found = next
  }
  return found
}

/** The path of a node, from the ancestors that visiting it gives. */
export function pathTo(node: Node, ancestors: readonly unknown[]): ConfigPath {
  const chain = [...ancestors, node]
  return chain.flatMap((ancestor, index): (string | number)[] => {
    if (isPair(ancestor) && isScalar(ancestor.key)) return [String(ancestor.key.value)]
    return isSeq(ancestor) ? [ancestor.items.indexOf(chain[index + 1])] : []
  })
}

function step(yaml: Document.Parsed, from: Located, segment: string | number): Located | undefined {
  const parent = isAlias(from.value) ? from.value.resolve(yaml) : from.value
  const depth = from.depth + 1
  if (isSeq(parent) && typeof segment === 'number') {
    const value = parent.items[segment]
    return isNode(value) ? { value, offset: offsetOf(value, from), depth } : undefined
  }
  if (!isMap(parent)) return undefined
  const pair = parent.items.find(({ key }) => isScalar(key) && key.value === segment)
  return isScalar(pair?.key)
    ? { value: pair.value, offset: offsetOf(pair.key, from), depth }
    : undefined
}

function isNode(value: unknown): value is Node {
  return isMap(value) || isSeq(value) || isScalar(value) || isAlias(value)
}

function offsetOf(node: Node, otherwise: Located): number {
  return node.range?.[0] ?? otherwise.offset
}
