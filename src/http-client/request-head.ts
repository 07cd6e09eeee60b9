const PATH = /^\/[\x21-\x7e\x80-\xff]*$/
const NAME = /^[!#$%&'*+\-.^_`|~\w]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
/** They say how long a body is, which is said here, or wish something of the connection. */
const NOT_AMONG_THEM = new Set([
  'connection',
  'content-length',
  'expect',
  'transfer-encoding',
  'upgrade',
])

/**
 * A GET without a body in the form that goes over the wire, latin1; undefined where it is no such thing.
 *
 * @param headers name, value, name, value …
 */
export function getHead(path: string, headers: readonly string[]): string | undefined {
  return headOf('GET', path, headers)
}

/**
 * The same of any request that is sent whole.
 *
 * @param bodyBytes the length of its body; undefined where none is announced
 */
export function plainHead(
  method: string,
  path: string,
  headers: readonly string[],
  bodyBytes?: number,
): string | undefined {
  if (!NAME.test(method)) return undefined
  return headOf(
    method,
    path,
    headers,
    bodyBytes === undefined ? '' : `content-length: ${bodyBytes}\r\n`,
  )
}

function headOf(
  method: string,
  path: string,
  headers: readonly string[],
  framing = '',
): string | undefined {
  if (!PATH.test(path)) return undefined
  let head = `${method} ${path} HTTP/1.1\r\n`
  for (let at = 0; at < headers.length; at += 2) {
    const [name = '', value = ''] = headers.slice(at, at + 2)
    const plain = NAME.test(name) && VALUE.test(value)
    if (!plain || NOT_AMONG_THEM.has(name.toLowerCase())) return undefined
    head += `${name}: ${value}\r\n`
  }
  return `${head}${framing}\r\n`
}
