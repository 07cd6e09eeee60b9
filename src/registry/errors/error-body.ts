import { type Digest, parseDigest } from '../../oci/digest.ts'
import { isObject, parseJson } from '../../oci/json.ts'

/** What a registry's error answer says, as it may stand in a message: foreign, so cut and cleaned. */
export interface ErrorBody {
  /** OCI distribution-spec, "Error Codes": `MANIFEST_UNKNOWN`, `DENIED` …; empty when there are none. */
  readonly codes: readonly string[]
  /** One line, at most 300 characters; empty when nothing readable was sent. */
  readonly text: string
  /** The blobs and manifests that it says it does not know. */
  readonly unknown: readonly Digest[]
}

/** How much of an error's body is read: OCI errors are far smaller, login pages are not. */
export const MAX_ERROR_BYTES = 64 * 1024

const MAX_TEXT = 300
const MAX_CODES = 5

export function parseErrorBody(bytes: Buffer): ErrorBody {
  const text = bytes.toString('utf8')
  const errors = ociErrors(text)
  if (errors === undefined) return { codes: [], text: oneLine(titleOf(text) ?? text), unknown: [] }
  const codes = errors.map(({ code }) => oneLine(code)).filter((code) => code !== '')
  const messages = errors.map(({ message }) => message).filter((message) => message !== '')
  return {
    codes: [...new Set(codes)].slice(0, MAX_CODES),
    text: oneLine([...new Set(messages)].join('; ')),
    unknown: errors.flatMap(({ unknown }) => unknown ?? []),
  }
}

/** Foreign text on one line, without control or direction-changing characters, cut to a bearable length. */
export function oneLine(text: string): string {
  const clean = text
    .slice(0, MAX_TEXT * 4)
    .replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029\s]+/gu, ' ')
    .trim()
  return clean.length > MAX_TEXT ? `${clean.slice(0, MAX_TEXT - 1)}…` : clean
}

interface OciError {
  readonly code: string
  readonly message: string
  readonly unknown?: Digest
}

function ociErrors(text: string): readonly OciError[] | undefined {
  const json = parseJson(text)
  if (!isObject(json)) return undefined
  if (Array.isArray(json['errors'])) return json['errors'].filter(isObject).map(ociError)
  // Token services and gateways: {"error":"…"}, {"message":"…"}, {"details":"…"}.
  const message = [json['message'], json['details'], json['error_description'], json['error']]
  const told = message.find((value) => typeof value === 'string')
  return told === undefined ? undefined : [{ code: '', message: told }]
}

function ociError(error: Record<string, unknown>): OciError {
  const { code, message, detail } = error
  const told = [message, detail].filter((value) => typeof value === 'string' && value !== '')
  const lacks = code === 'MANIFEST_BLOB_UNKNOWN' && typeof detail === 'string'
  const unknown = lacks ? parseDigest(detail) : undefined
  return {
    code: typeof code === 'string' ? code : '',
    message: [...new Set(told)].join(': '),
    ...(unknown?.ok && { unknown: unknown.value }),
  }
}

// Of a web page only its title says anything; proxies put the status before it, which is known.
function titleOf(text: string): string | undefined {
  if (!text.trimStart().startsWith('<')) return undefined
  const [, title = ''] = /<title>([^<]{0,300})<\/title>/i.exec(text) ?? []
  return title.replace(/^\s*\d{3}\b/, '')
}
