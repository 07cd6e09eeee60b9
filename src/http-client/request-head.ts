const PATH = /^\/[\x21-\x7e\x80-\xff]*$/
const NAME = /^[!#$%&'*+\-.^_`|~\w]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
/** They announce a body, or a wish about the connection. */
const NOT_FOR_A_PLAIN_GET = new Set([
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
  if (!PATH.test(path)) return undefined
  let head = `GET ${path} HTTP/1.1\r\n`
  for (let at = 0; at < headers.length; at += 2) {
    const [name = '', value = ''] = headers.slice(at, at + 2)
    const plain = NAME.test(name) && VALUE.test(value)
    if (!plain || NOT_FOR_A_PLAIN_GET.has(name.toLowerCase())) return undefined
    head += `${name}: ${value}\r\n`
  }
  return `${head}\r\n`
}
