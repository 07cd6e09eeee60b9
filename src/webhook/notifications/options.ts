/** What the set-up of a sender is made of. */
export interface NotificationsOptions {
  /** Where the sender reaches pullsync's public listener, for example `http://127.0.0.1:8080`. */
  readonly webhookUrl: string
  readonly sourceId: string
  /** One of the source's secrets, or a placeholder; nothing of use for formats without secrets. */
  readonly secret: string
  /** Where the sending registry is: `https://harbor.hq.example`. */
  readonly registryAddress: string
  /** It is the local registry: a pull there is the occasion to look whether upstream has moved the tag. */
  readonly isLocal?: boolean
  /** Of formats that prove themselves with a token. */
  readonly token?: { readonly audience: string; readonly email: string } | undefined
}

/** Where the source's events go. */
export function eventsUrl({ webhookUrl, sourceId }: NotificationsOptions): string {
  return new URL(`/v1/events/${encodeURIComponent(sourceId)}`, webhookUrl).href
}

/** The same for senders that can be told nothing but an address. */
export function eventsUrlWithSecret(options: NotificationsOptions): string {
  return `${eventsUrl(options)}/${encodeURIComponent(options.secret)}`
}

/** As one word of a POSIX shell. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** A `curl` that posts JSON from the lines below it. */
export function curlJson(url: string, authorization: string, json: object): string {
  return `curl --fail-with-body ${authorization} \\
  --header 'Content-Type: application/json' --data @- ${shellWord(url)} <<'JSON'
${JSON.stringify(json, null, 2)}
JSON
`
}
