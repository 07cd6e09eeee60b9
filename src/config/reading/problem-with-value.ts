import type { ConfigDocument } from './config-document.ts'
import type { ConfigProblem } from '../config-error.ts'
import type { ConfigPath } from './config-path.ts'

/** A problem at that path; a message that says what was expected ends with what the file has. */
export function problemWithValue(
  document: ConfigDocument,
  path: ConfigPath,
  message: string,
): ConfigProblem {
  const shown = message.startsWith('expected') ? document.shown(path) : ''
  return document.problemAt(path, shown === '' ? message : `${message}, got ${shown}`)
}
