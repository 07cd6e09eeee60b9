/** One request, as the combined log format tells it. */
export interface AccessLogLine {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly status: number
  /** Of the body, as far as it was sent. */
  readonly bytes: number
  readonly userAgent: string
}

export interface RequestFilter {
  readonly method?: string
  readonly path?: RegExp
  readonly userAgent?: RegExp
  readonly status?: number
}

const COMBINED = /^\S+ \S+ \S+ \[[^\]]+\] "(\S+) (\S+) [^"]*" (\d{3}) (\S+) "[^"]*" "([^"]*)"/

/** Undefined for lines that are something else. */
export function parseAccessLogLine(line: string): AccessLogLine | undefined {
  const [, method, path, status, bytes, userAgent] = COMBINED.exec(line) ?? []
  if (method === undefined || path === undefined) return undefined
  return {
    ...{ method, path, status: Number(status), userAgent: userAgent ?? '' },
    // A hyphen for none.
    bytes: Number(bytes) || 0,
  }
}

export function matchesFilter(line: AccessLogLine, filter: RequestFilter): boolean {
  return (
    (filter.method === undefined || filter.method === line.method) &&
    (filter.status === undefined || filter.status === line.status) &&
    (filter.path?.test(line.path) ?? true) &&
    (filter.userAgent?.test(line.userAgent) ?? true)
  )
}
