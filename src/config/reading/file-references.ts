import { resolve } from 'node:path'
import { isObject, parseJson } from '../../oci/json.ts'
import { isBlank } from './blank.ts'
import { certificatesProblem, isStrangeKey, keyProblem } from './pem.ts'
import type { ConfigProblem } from '../config-error.ts'
import type { ConfigDocument } from './config-document.ts'
import { type ConfigPath, formatPath } from './config-path.ts'

/** A file that the configuration names. */
export interface FileReference {
  readonly path: ConfigPath
  /** Absolute; a relative one is relative to the configuration file. */
  readonly file: string
  readonly kind: 'secret' | 'certificates' | 'key' | 'docker-config'
}

/** What reading a file gave, by its absolute name. */
export type ReadFiles = ReadonlyMap<string, ReadFile>
export type ReadFile =
  { readonly ok: true; readonly text: string } | { readonly ok: false; readonly reason: string }

/** Every file named anywhere in `value`, checked or not, so that all can be read at once. */
export function fileReferences(value: unknown, folder: string): readonly FileReference[] {
  return [...walk(value, [])].flatMap(({ path, name }) => {
    const key = path.findLast((segment) => typeof segment === 'string') ?? ''
    const kind = KINDS.get(key)
    return kind === undefined || name === '' ? [] : [{ path, file: resolve(folder, name), kind }]
  })
}

/** What is wrong with the files themselves. */
export function fileProblems(
  document: ConfigDocument,
  references: readonly FileReference[],
  files: ReadFiles,
): readonly ConfigProblem[] {
  return references.flatMap((reference) => {
    const wrong =
      fileProblem(reference, files.get(reference.file)) ?? strangeKey(reference, references, files)
    return wrong === undefined ? [] : [document.problemAt(reference.path, wrong)]
  })
}

/** A key that is right in itself, and not that of the certificate beside it. */
function strangeKey(
  { path, file, kind }: FileReference,
  references: readonly FileReference[],
  files: ReadFiles,
): string | undefined {
  if (kind !== 'key') return undefined
  const place = formatPath([...path.slice(0, -1), 'clientCertFile'])
  const beside = references.find((each) => formatPath(each.path) === place)
  const [key, certificate] = [files.get(file), beside && files.get(beside.file)]
  if (beside === undefined || key?.ok !== true || certificate?.ok !== true) return undefined
  return isStrangeKey(key.text, certificate.text)
    ? `the file ${file} holds another key than that of the certificate in ${beside.file}`
    : undefined
}

/** A secret as a file holds it: editors and `echo` end it with a newline that is not part of it. */
export function secretIn(text: string): string {
  return text.replace(/[\r\n]+$/, '')
}

const KINDS: ReadonlyMap<string, FileReference['kind']> = new Map([
  ['passwordFile', 'secret'],
  ['secretFile', 'secret'],
  ['accessTokenFile', 'secret'],
  ['dockerConfig', 'docker-config'],
  ['caFile', 'certificates'],
  ['clientCertFile', 'certificates'],
  ['clientKeyFile', 'key'],
])

function fileProblem({ file, kind }: FileReference, read: ReadFile | undefined) {
  if (read === undefined) return `the file ${file} was not read`
  if (!read.ok) return `cannot read the file ${file}: ${read.reason}`
  const wrong = CONTENT_PROBLEMS[kind](read.text)
  return wrong === undefined ? undefined : `the file ${file} ${wrong}`
}

const CONTENT_PROBLEMS: Readonly<
  Record<FileReference['kind'], (text: string) => string | undefined>
> = {
  secret: secretProblem,
  certificates: certificatesProblem,
  key: keyProblem,
  'docker-config': (text) =>
    isObject(parseJson(text))
      ? undefined
      : "holds no JSON object: expected a docker client's config.json",
}

function secretProblem(text: string): string | undefined {
  const secret = secretIn(text)
  if (secret === '') return 'is empty'
  return isBlank(secret) ? 'holds nothing but blanks' : undefined
}

interface NamedText {
  readonly path: ConfigPath
  readonly name: string
}

function* walk(value: unknown, path: ConfigPath): Generator<NamedText> {
  if (typeof value === 'string') yield { path, name: value }
  if (typeof value !== 'object' || value === null) return
  for (const [key, child] of Object.entries(value)) {
    yield* walk(child, [...path, Array.isArray(value) ? Number(key) : key])
  }
}
