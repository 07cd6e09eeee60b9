import { request as overHttp } from 'node:http'
import { request as overHttps } from 'node:https'

/** Whether this very server answers a GET, with any status and the header it was told to send. */
export async function isUp(
  url: string,
  proof: { readonly name: string; readonly value: string },
): Promise<boolean> {
  const request = url.startsWith('https:') ? overHttps : overHttp
  return await new Promise((resolve) => {
    const asked = request(
      url,
      { headers: { 'user-agent': proof.value }, rejectUnauthorized: false, agent: false },
      (response) => {
        response.resume()
        resolve(response.headers[proof.name.toLowerCase()] === proof.value)
      },
    )
    asked.setTimeout(5_000, () => {
      asked.destroy()
    })
    // A server that demands a client certificate fails the handshake, which it can do only when up.
    asked.once('error', (error) => {
      resolve(/alert|certificate required/i.test(error.message))
    })
    asked.end()
  })
}
