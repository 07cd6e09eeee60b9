type Fields = Readonly<Record<string, unknown>>

const MASK = '[masked]'
const SECRET_KEY = /authorization|cookie|credential|passw|secret|token|api-?key/i
// From the end of the scheme on: sought from its beginning, a text of many dots takes seconds.
const USER_INFO = /([a-z0-9+.-]:\/\/)[^\s/?#]*@/gi
const MAX_DEPTH = 6

/**
 * A copy that can be written to a log as JSON: values under keys that sound secret are masked, so are
 * user names and passwords in URLs. A second net only: secrets are not to be logged in the first place.
 */
export function masked(fields: Fields): Fields {
  return maskFields(fields, 0)
}

/** The text without users and passwords in the URLs that stand in it. */
export function maskedText(text: string): string {
  // Nearly no text has a URL in it.
  return text.includes('://') ? text.replace(USER_INFO, `$1${MASK}@`) : text
}

function maskFields(fields: Fields, depth: number): Fields {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, SECRET_KEY.test(key) ? MASK : maskValue(value, depth + 1)]),
  )
}

function maskValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return maskedText(value)
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'object' || value === null) return value
  // Deeper than any fact is, and the end of whatever refers to itself.
  return depth > MAX_DEPTH ? '[…]' : maskObject(value, depth)
}

function maskObject(value: object, depth: number): unknown {
  if (value instanceof Error) return maskFields(errorFields(value), depth)
  if (value instanceof URL) return maskValue(value.href, depth)
  if (value instanceof Date) return value
  if (Array.isArray(value)) return value.map((element) => maskValue(element, depth + 1))
  return maskFields({ ...value }, depth)
}

// Own fields of an error stay out: HTTP clients hang whole requests on them, headers included.
function errorFields({ name, message, stack, cause }: Error): Fields {
  return { name, message, stack, cause }
}
