import { dirname, join } from 'node:path/posix'

/** One import of a file, as it is written there; paths are relative to the repository. */
export interface Import {
  readonly from: string
  readonly specifier: string
}

export interface ImportRules {
  /** For each part, the parts that it may import besides itself. Files in none of them are not checked. */
  readonly parts: Readonly<Record<string, readonly string[]>>
  /** For each library, the parts that may import it. Libraries not named here are nobody's. */
  readonly libraries: Readonly<Record<string, readonly string[]>>
}

/** Each import that goes against the rules, as a sentence. A part is a folder or a single file. */
export function violations(imports: readonly Import[], rules: ImportRules): readonly string[] {
  return imports.flatMap(({ from, specifier }) => {
    const part = partOf(from, rules)
    if (part === undefined || specifier.startsWith('node:')) return []
    const wrong = specifier.startsWith('.')
      ? wrongDirection(part, join(dirname(from), specifier), rules)
      : wrongOwner(part, libraryOf(specifier), rules)
    return wrong === undefined ? [] : [`${from} imports ${specifier}: ${wrong}`]
  })
}

/** The longest part that the file belongs to. */
export function partOf(file: string, rules: ImportRules): string | undefined {
  return Object.keys(rules.parts)
    .filter((part) => file === part || file.startsWith(`${part}/`))
    .sort((a, b) => b.length - a.length)[0]
}

function wrongDirection(part: string, target: string, rules: ImportRules): string | undefined {
  const allowed = rules.parts[part] ?? []
  const targetPart = partOf(target, rules)
  if (targetPart === part || (targetPart !== undefined && allowed.includes(targetPart))) {
    return undefined
  }
  const choice = allowed.length === 0 ? 'nothing' : `only ${allowed.join(', ')}`
  return `${part} may import ${choice}`
}

function wrongOwner(part: string, library: string, rules: ImportRules): string | undefined {
  const owners = rules.libraries[library]
  if (owners === undefined) return `give ${library} an owner in the rules`
  if (owners.some((owner) => part === owner || part.startsWith(`${owner}/`))) return undefined
  return `${library} belongs to ${owners.join(', ')}`
}

function libraryOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** Each circle of files that import each other, as a line; a file stands in one of them at most. */
export function circles(graph: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const done = new Set<string>()
  const found: string[] = []
  const walk = (file: string, way: readonly string[]): void => {
    const from = way.indexOf(file)
    if (from >= 0) found.push([...way.slice(from), file].join(' → '))
    if (from >= 0 || done.has(file)) return
    for (const next of graph.get(file) ?? []) walk(next, [...way, file])
    done.add(file)
  }
  for (const file of graph.keys()) walk(file, [])
  return found
}
