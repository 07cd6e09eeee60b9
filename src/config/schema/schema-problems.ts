import type { z } from 'zod'
import type { ConfigDocument } from '../reading/config-document.ts'
import type { ConfigProblem } from '../config-error.ts'
import type { ConfigPath } from '../reading/config-path.ts'
import { didYouMean } from './did-you-mean.ts'
import { problemWithValue } from '../reading/problem-with-value.ts'

/** What the schema found, in our words and with its place in the file. */
export function schemaProblems(
  document: ConfigDocument,
  issues: readonly z.core.$ZodIssue[],
): readonly ConfigProblem[] {
  return issues.flatMap((issue) => {
    const path = issue.path.map((segment) => (typeof segment === 'symbol' ? '' : segment))
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => unknownKey(document, [...path, key], issue.message))
    }
    // What was misread because of a YAML error can look like a missing key.
    if ((issue.input ?? undefined) === undefined && document.brokenAtLine !== undefined) return []
    return [problemWithValue(document, path, describe(issue))]
  })
}

function unknownKey(document: ConfigDocument, path: ConfigPath, known: string): ConfigProblem {
  const key = String(path.at(-1))
  const near = didYouMean(key, known.split(', '))
  const hint = near === undefined ? '' : ` (did you mean ${near}?)`
  return document.problemAt(path, `unknown key${hint}; known here: ${known}`)
}

function describe(issue: z.core.$ZodIssue): string {
  if (issue.input === undefined) return 'missing'
  return issue.code === 'invalid_type' ? expectedType(issue.expected) : issue.message
}

function expectedType(expected: string): string {
  return expected === 'array' ? 'expected a list' : 'expected a mapping (keys with values)'
}
