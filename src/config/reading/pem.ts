import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'

const CERTIFICATE = /-----BEGIN CERTIFICATE-----(?:(?!-----BEGIN )[^])*?-----END CERTIFICATE-----/g
const BEGIN = /-----BEGIN CERTIFICATE-----/g

/** What is wrong with one certificate or several, as the end of a sentence about their file. */
export function certificatesProblem(text: string): string | undefined {
  const begun = text.match(BEGIN)?.length ?? 0
  if (begun === 0) return 'holds no certificate: expected PEM text (-----BEGIN CERTIFICATE-----)'
  const certificates = certificatesIn(text)
  if (certificates.length < begun) return 'holds a certificate without its end: it is cut'
  const bad = certificates.findIndex((pem) => parsed(() => new X509Certificate(pem)) === undefined)
  if (bad < 0) return undefined
  return begun === 1
    ? 'holds a certificate that cannot be read: it is cut or damaged'
    : `holds ${begun} certificates, of which number ${bad + 1} cannot be read: it is cut or damaged`
}

/** The same of a private key. */
export function keyProblem(text: string): string | undefined {
  if (/-----BEGIN ENCRYPTED|^Proc-Type: 4,ENCRYPTED/m.test(text)) {
    return 'holds a private key that is encrypted: there is nobody to ask for its passphrase'
  }
  if (!/-----BEGIN ([A-Z]+ )?PRIVATE KEY-----/.test(text)) {
    return 'holds no private key: expected PEM text (-----BEGIN PRIVATE KEY-----)'
  }
  return keyIn(text) === undefined
    ? 'holds a private key that cannot be read: it is cut or damaged'
    : undefined
}

/** Whether the key is not that of the first certificate. False where either cannot be read. */
export function isStrangeKey(key: string, certificates: string): boolean {
  const [pem = ''] = certificatesIn(certificates)
  const certificate = parsed(() => new X509Certificate(pem))
  const known = keyIn(key)
  if (certificate === undefined || known === undefined) return false
  return !certificate.checkPrivateKey(known)
}

function certificatesIn(text: string): readonly string[] {
  return text.match(CERTIFICATE) ?? []
}

function keyIn(text: string): KeyObject | undefined {
  return parsed(() => createPrivateKey(text))
}

function parsed<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch {
    return undefined
  }
}
