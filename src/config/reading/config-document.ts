import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  Scalar,
  visit,
} from 'yaml'
import { quoted } from '../../oci/parsed.ts'
import type { ConfigProblem } from '../config-error.ts'
import { type ConfigPath, formatPath, isSecretPath } from './config-path.ts'
import { interpolate } from './interpolate.ts'
import { locate, pathTo } from './yaml-location.ts'
import { yamlProblem } from './yaml-problems.ts'

/** A configuration file as YAML: its plain value, and where in the file each part of it stands. */
export interface ConfigDocument {
  /** Mappings, lists and scalars with environment variables filled in; not yet checked. */
  readonly value: unknown
  readonly problems: readonly ConfigProblem[]
  /** The line of the first thing that is no YAML; what stands after it may have been misread. */
  readonly brokenAtLine?: number
  /** A problem at this path, or at the nearest part above it that the file has. */
  problemAt(path: ConfigPath, message: string): ConfigProblem
  /** What the file says there, as it may stand in a message: no secret, no variable's value. */
  shown(path: ConfigPath): string
}

/** Reads `text` as one YAML document and fills in `env`. Pure; never throws. */
export function readDocument(text: string, env: NodeJS.ProcessEnv): ConfigDocument {
  if (isNestedTooDeeply(text)) return nothing('the YAML is nested too deeply')
  const lines = new LineCounter()
  const yaml = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    merge: true,
  })
  return describe({ text, yaml, lines, written: new Map() }, env)
}

const MAX_DEPTH = 100

// The parser recurses, and thousands of levels end the whole process (seen with yaml 2.9.1 on Node 20).
function isNestedTooDeeply(text: string): boolean {
  let depth = 0
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    depth += bracket === '[' || bracket === '{' ? 1 : -1
    if (depth > MAX_DEPTH) return true
  }
  return new RegExp(`^[ ?-]{${2 * MAX_DEPTH},}`, 'm').test(text)
}

function nothing(message: string): ConfigDocument {
  return {
    value: undefined,
    problems: [{ path: '', message }],
    brokenAtLine: 1,
    problemAt: (path, text) => ({ path: formatPath(path), message: text }),
    shown: () => '',
  }
}

interface Source {
  readonly text: string
  readonly yaml: Document.Parsed
  readonly lines: LineCounter
  /** What stood in the file before interpolation. */
  readonly written: Map<Node, string>
}

function describe(source: Source, env: NodeJS.ProcessEnv): ConfigDocument {
  const syntax = syntaxProblems(source)
  const aliases = quoteUnknownAliases(source)
  const merges = removeWrongMerges(source)
  const variables = fillIn(source, env)
  const plain = toPlain(source)
  return {
    value: plain.value,
    problems: [...syntax.problems, ...aliases, ...merges, ...plain.problems, ...variables],
    ...(syntax.brokenAtLine !== undefined && { brokenAtLine: syntax.brokenAtLine }),
    problemAt: (path, message) => problemAt(source, path, message),
    shown: (path) => shown(source, path),
  }
}

function syntaxProblems({ yaml, lines, text }: Source): {
  readonly problems: readonly ConfigProblem[]
  readonly brokenAtLine?: number
} {
  const errors = [...yaml.errors, ...yaml.warnings].sort((a, b) => a.pos[0] - b.pos[0])
  const broken = errors.find(({ code }) => !HARMLESS.includes(code))
  // One slip makes the parser stumble over all that follows.
  const reported = broken === undefined ? errors : errors.slice(0, errors.indexOf(broken) + 1)
  return {
    problems: reported.map(({ code, pos: [offset] }) => {
      const { line, col } = lines.linePos(offset)
      const message = yamlProblem(code, text[offset - 1])
      return { path: '', line, column: col, message }
    }),
    ...(broken && { brokenAtLine: lines.linePos(broken.pos[0]).line }),
  }
}

// Everything else in the file is still read as it was meant.
const HARMLESS: readonly string[] = [
  'BAD_ALIAS',
  'BAD_DQ_ESCAPE',
  'BAD_SCALAR_START',
  'DUPLICATE_KEY',
  'TAG_RESOLVE_FAILED',
]

// `tags: {include: [**]}` is meant as text; reading on as if it were finds the other problems.
function quoteUnknownAliases({ yaml, lines }: Source): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const known = new Set(yaml.errors.map(({ pos }) => lines.linePos(pos[0]).line))
  visit(yaml, {
    Alias(_, alias, ancestors) {
      if (alias.resolve(yaml) !== undefined) return undefined
      const { line, col } = lines.linePos(alias.range?.[0] ?? 0)
      if (!known.has(line)) {
        const path = formatPath(pathTo(alias, ancestors))
        problems.push({ path, line, column: col, message: yamlProblem('BAD_ALIAS') })
      }
      const meant = new Scalar(`*${alias.source}`)
      meant.range = alias.range ?? null
      return meant
    },
  })
  return problems
}

// Everything merged in must be a mapping; the parser throws otherwise.
function removeWrongMerges(source: Source): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = []
  visit(source.yaml, {
    Pair(_, { key, value }, ancestors) {
      if (!isScalar(key) || !isMergeKey(key) || isMergeable(source, value)) return undefined
      const path = [...pathTo(key, ancestors), '<<']
      problems.push(problemAt(source, path, 'expected a mapping to merge in, or an alias of one'))
      return visit.REMOVE
    },
  })
  return problems
}

function isMergeKey({ value, type }: Scalar): boolean {
  return value === '<<' && type === 'PLAIN'
}

function isMergeable({ yaml }: Source, value: unknown): boolean {
  const sources = isSeq(value) ? value.items : [value]
  return sources.every((each) => isMap(isAlias(each) ? each.resolve(yaml) : each))
}

function fillIn(source: Source, env: NodeJS.ProcessEnv): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = []
  visit(source.yaml, {
    Scalar(key, scalar, ancestors) {
      if (key === 'key' || typeof scalar.value !== 'string') return
      const { text, problems: found } = interpolate(scalar.value, env)
      const path = pathTo(scalar, ancestors)
      problems.push(...found.map((message) => problemAt(source, path, message)))
      source.written.set(scalar, scalar.value)
      scalar.value = text
    },
  })
  return problems
}

function toPlain({ yaml }: Source): {
  readonly value: unknown
  readonly problems: readonly ConfigProblem[]
} {
  try {
    const value: unknown = yaml.toJS({ maxAliasCount: 100 })
    return { value, problems: [] }
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error
    const message = 'the YAML aliases (*name) stand for too many values'
    return { value: undefined, problems: [{ path: '', line: 1, column: 1, message }] }
  }
}

function problemAt(source: Source, path: ConfigPath, message: string): ConfigProblem {
  const { offset, depth } = locate(source.yaml, path)
  const { line, col } = source.lines.linePos(offset)
  // A single value that stands for a list of one has no place of its own in it.
  const missing = path.slice(depth).filter((segment) => typeof segment === 'string')
  return { path: formatPath([...path.slice(0, depth), ...missing]), line, column: col, message }
}

function shown({ yaml, written }: Source, path: ConfigPath): string {
  const { value, depth } = locate(yaml, path)
  // What a merge key (<<) brought in stands somewhere else.
  const elsewhere = path.slice(depth).some((segment) => typeof segment === 'string')
  if (isSecretPath(path) || elsewhere) return ''
  if (isMap(value)) return 'a mapping'
  if (isSeq(value)) return 'a list'
  return isScalar(value) ? shownScalar(value, written.get(value)) : 'nothing'
}

function shownScalar(scalar: Scalar, text: string | undefined): string {
  if (scalar.value === null) return 'nothing'
  if (text === undefined) return quoted(scalar.source ?? '').slice(1, -1)
  // Somebody's password may stand before the @ of a URL, whatever else is wrong with it.
  return quoted(text.includes('@') ? text.replace(/\/\/.*$/s, '//…') : text)
}
