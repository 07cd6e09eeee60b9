import { FORMATS } from '../../events/formats.ts'
import { isBlank } from '../reading/blank.ts'
import type { ConfigProblem } from '../config-error.ts'
import type { ConfigDocument } from '../reading/config-document.ts'
import { type FileReference, type ReadFiles, secretIn } from '../reading/file-references.ts'
import type { ConfigPath } from '../reading/config-path.ts'
import { mappingAt, mappingOf, textAt } from './outline.ts'

/** Secrets of sources, in the file or in their own, that no sender can show. */
export function secretProblems(
  document: ConfigDocument,
  references: readonly FileReference[],
  files: ReadFiles,
): readonly ConfigProblem[] {
  const sources = mappingAt(mappingOf(document.value), 'sources')
  const own = Object.entries(sources).flatMap(([id, source]) => inline(id, source))
  const named = references.flatMap(({ path, file, kind }) => {
    const read = files.get(file)
    const isSecret = path[0] === 'sources' && kind === 'secret' && read?.ok === true
    return isSecret ? [{ path, text: secretIn(read.text) }] : []
  })
  return [...own, ...named].flatMap(({ path, text }) => {
    const format = textAt(mappingOf(sources[String(path[1])]), 'format') ?? ''
    const fault = faultOf(text, showsItself(format))
    return fault === undefined ? [] : [document.problemAt(path, fault)]
  })
}

interface PlacedText {
  readonly path: ConfigPath
  readonly text: string
}

function inline(id: string, source: unknown): readonly PlacedText[] {
  const { secret } = mappingOf(source)
  const path = ['sources', id, 'secret']
  if (typeof secret === 'string') return [{ path, text: secret }]
  const list: readonly unknown[] = Array.isArray(secret) ? secret : []
  return list.flatMap((text, at) =>
    typeof text === 'string' ? [{ path: [...path, at], text }] : [],
  )
}

/** Whether its senders send the secret itself, in a header. */
function showsItself(format: string): boolean {
  const known = Object.entries(FORMATS).find(([name]) => name === format)?.[1]
  return known !== undefined && 'prove' in known && known.signs !== true
}

function faultOf(text: string, isInHeader: boolean): string | undefined {
  if (text === '') return undefined
  if (isBlank(text)) return 'the secret is nothing but blanks'
  if (!isInHeader) return undefined
  if (text !== text.trim()) {
    return 'the secret begins or ends with a blank: it comes in an HTTP header, which loses that on the way'
  }
  return /^[\x20-\x7e]*$/.test(text)
    ? undefined
    : 'the secret has other characters than printable ASCII: it comes in an HTTP header, where each sender writes them in another way'
}
