import type { ErrorCode } from 'yaml'

// The parser's own messages can quote the file, and with it a secret; these cannot.
const MESSAGES: Readonly<Partial<Record<ErrorCode, string>>> = {
  BAD_ALIAS: 'a value that starts with "*" is a YAML alias: put it in quotes',
  BAD_DQ_ESCAPE:
    'unknown escape in a double-quoted text: use single quotes, or write \\\\ for "\\"',
  BAD_INDENT: 'the indentation does not match what stands above, or a bracket is not closed',
  BAD_SCALAR_START: 'a value cannot start with this character: put it in quotes',
  BLOCK_AS_IMPLICIT_KEY:
    'a mapping cannot start here: put a value that holds ": " in quotes, or start a new line',
  BLOCK_IN_FLOW: 'lists and mappings within brackets must use brackets too',
  DUPLICATE_KEY: 'the key stands here twice',
  MISSING_CHAR: 'a quote, bracket, comma or colon is missing',
  MULTILINE_IMPLICIT_KEY: 'a key must stand on one line, with ":" after it',
  MULTIPLE_DOCS: 'expected one YAML document, and "---" begins another',
  NON_STRING_KEY: 'a key must be plain text',
  TAB_AS_INDENT: 'indent with spaces: YAML allows no tabs there',
  TAG_RESOLVE_FAILED: 'a value that starts with "!" is a YAML tag: put it in quotes',
  UNEXPECTED_TOKEN: 'something stands here that does not belong (a missing quote, or indentation)',
}

/** What a YAML error means, without quoting the file. `before` is the character before it. */
export function yamlProblem(code: ErrorCode, before?: string): string {
  if (before === '$') return 'within brackets, a value with ${…} must stand in quotes'
  return MESSAGES[code] ?? 'this is not valid YAML'
}
