/** What a request is for, RFC 9112, section 3.2. */
export interface RequestTarget {
  /** As the client wrote it, without the query. */
  readonly path: string
  /** With its question mark; empty where there is none. */
  readonly query: string
  /** Where the client wrote the whole address. */
  readonly host?: string
}

const ABSOLUTE = /^https?:\/\/([\w.~!$&'()*+,;=%:[\]-]+)(?=[/?]|$)/i
const PATH_AND_QUERY = /^(\/[^?#]*)(\?[^#]*)?$/

/** Of the forms that a registry is asked in: a path, or the whole address. Undefined for what is neither. */
export function readTarget(url: string): RequestTarget | undefined {
  const [start = '', host] = ABSOLUTE.exec(url) ?? []
  const rest = url.slice(start.length)
  const [, path, query = ''] = PATH_AND_QUERY.exec(rest.startsWith('?') ? `/${rest}` : rest) ?? []
  if (path === undefined)
    return host === undefined || rest !== '' ? undefined : { path: '/', query, host }
  return { path, query, ...(host !== undefined && { host }) }
}
