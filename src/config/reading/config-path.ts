/** The way to a value in the configuration: keys of mappings and positions in lists. */
export type ConfigPath = readonly (string | number)[]

/** `projects[0].name`; keys that are no plain words are quoted. */
export function formatPath(path: ConfigPath): string {
  return path.map(formatSegment).join('').replace(/^\./, '')
}

function formatSegment(segment: string | number): string {
  if (typeof segment === 'number') return `[${segment}]`
  return /^[\w-]+$/.test(segment) ? `.${segment}` : `[${JSON.stringify(segment)}]`
}

/** Whether a value there is a secret, so that no message may show it. */
export function isSecretPath(path: ConfigPath): boolean {
  return path.some((segment) => segment === 'password' || segment === 'secret')
}
