import { dirname } from 'node:path'
import { buildConfig } from './build-config.ts'
import type { Config } from './config.ts'
import { type ConfigDocument, readDocument } from './reading/config-document.ts'
import type { ConfigProblem } from './config-error.ts'
import { type ConfigPath, formatPath } from './reading/config-path.ts'
import {
  fileProblems,
  type FileReference,
  fileReferences,
  type ReadFiles,
} from './reading/file-references.ts'
import { ruleProblems } from './rules/rules.ts'
import { secretProblems } from './rules/secret-rules.ts'
import { configSchema } from './schema/schema.ts'
import { schemaProblems } from './schema/schema-problems.ts'

export type ConfigResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] }

/** A configuration half read: it tells which files it needs, and `finish` takes them. */
export interface UnfinishedConfig {
  readonly references: readonly FileReference[]
  finish(files: ReadFiles): ConfigResult
}

/**
 * Reads the text of the configuration file `file` (absolute). Pure: the files that it names are
 * read by the caller.
 */
export function parseConfig(file: string, text: string, env: NodeJS.ProcessEnv): UnfinishedConfig {
  const document = readDocument(text, env)
  const folder = dirname(file)
  const references = fileReferences(document.value, folder)
  return {
    references,
    finish: (files) => finish(document, { file, folder, references, files }),
  }
}

interface Inputs {
  readonly file: string
  readonly folder: string
  readonly references: readonly FileReference[]
  readonly files: ReadFiles
}

function finish(
  document: ConfigDocument,
  { file, folder, references, files }: Inputs,
): ConfigResult {
  if (document.value === null) return { ok: false, problems: [EMPTY] }
  if (document.value === undefined) return { ok: false, problems: document.problems }
  const checked = configSchema.safeParse(document.value, { reportInput: true })
  const found = [
    ...(checked.success ? [] : schemaProblems(document, checked.error.issues)),
    ...fileProblems(document, references, files),
    ...secretProblems(document, references, files),
    ...(document.brokenAtLine === undefined ? ruleProblems(document) : []),
  ]
  const problems = inOrder([...document.problems, ...beforeBreak(document, found)])
  if (problems.length > 0 || !checked.success) return { ok: false, problems }
  const keysInFile = [...keys(document.value, [])]
  return { ok: true, config: buildConfig(checked.data, files, { file, folder, keysInFile }) }
}

const EMPTY: ConfigProblem = {
  path: '',
  message:
    'the file is empty: expected at least local, upstreams and projects (deploy/pullsync.example.yaml shows them)',
}

// After a YAML error the parser guesses, so what is found there may not be what was meant.
function beforeBreak(
  { brokenAtLine = Infinity }: ConfigDocument,
  problems: readonly ConfigProblem[],
): readonly ConfigProblem[] {
  return problems.filter(({ line = 0 }) => line < brokenAtLine)
}

/** In the order of the file, and of each place only the first: the others follow from it. */
function inOrder(problems: readonly ConfigProblem[]): readonly ConfigProblem[] {
  const seen = new Set<string>()
  return problems
    .filter(({ path }) => path === '' || !(seen.size === seen.add(path).size))
    .sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0))
}

function* keys(value: unknown, path: ConfigPath): Generator<string> {
  if (typeof value !== 'object' || value === null) return
  for (const [key, child] of Object.entries(value)) {
    const at = [...path, Array.isArray(value) ? Number(key) : key]
    if (!Array.isArray(value)) yield formatPath(at)
    yield* keys(child, at)
  }
}
