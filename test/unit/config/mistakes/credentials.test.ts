import { describe, expect, it } from 'vitest'
import { type Mistake, saidOf } from './mistake.ts'

const MISTAKES: readonly Mistake[] = [
  [
    'both forms of a password',
    {
      local: 'local: {url: "https://r.example", username: u, password: p, passwordFile: /run/full}',
    },
    '2:61  local.passwordFile: use password or passwordFile, not both',
  ],
  [
    'a username alone',
    { local: 'local: {url: "https://r.example", username: u}' },
    '2:35  local.username: a username needs a password or passwordFile',
  ],
  [
    'a password alone',
    { local: 'local: {url: "https://r.example", passwordFile: /run/full}' },
    '2:35  local.passwordFile: a password needs a username',
  ],
  [
    'credentials from two places',
    { local: 'local: {url: "https://r.example", username: u, password: p, auth: ecr}' },
    '2:61  local.auth: credentials come from one place only: username with passwordFile, dockerConfig, accessTokenFile or auth',
  ],
  [
    'two sources of credentials without a password',
    { local: 'local: {url: "https://r.example", dockerConfig: /run/docker, auth: ecr}' },
    '2:62  local.auth: credentials come from one place only: username with passwordFile, dockerConfig, accessTokenFile or auth',
  ],
  [
    'a username beside what brings its own',
    { local: 'local: {url: "https://r.example", username: u, auth: gar}' },
    '2:35  local.username: auth brings the username, too',
  ],
  [
    'a cloud that is none',
    { local: 'local: {url: "https://r.example", auth: ecs}' },
    '2:35  local.auth: expected ecr, gar or acr (did you mean ecr?), got "ecs"',
  ],
  [
    'a docker config that is none',
    { local: 'local: {url: "https://r.example", dockerConfig: /run/full}' },
    "2:35  local.dockerConfig: the file /run/full holds no JSON object: expected a docker client's config.json",
  ],
  [
    'a client certificate without its key',
    { local: 'local: {url: "https://r.example", clientCertFile: /run/cert}' },
    '2:35  local.clientCertFile: clientCertFile and clientKeyFile belong together: set both',
  ],
  [
    'a client certificate over plain http',
    {
      local:
        'local: {url: "http://127.0.0.1:5000", clientCertFile: /run/cert, clientKeyFile: /run/key}',
    },
    '2:39  local.clientCertFile: a client certificate is only shown over https',
  ],
  [
    'a key that is a certificate',
    {
      local:
        'local: {url: "https://r.example", clientCertFile: /run/cert, clientKeyFile: /run/cert}',
    },
    '2:62  local.clientKeyFile: the file /run/cert holds no private key: expected PEM text (-----BEGIN PRIVATE KEY-----)',
  ],
  [
    'a key of another certificate',
    {
      local:
        'local: {url: "https://r.example", clientCertFile: /run/cert, clientKeyFile: /run/other-key}',
    },
    '2:62  local.clientKeyFile: the file /run/other-key holds another key than that of the certificate in /run/cert',
  ],
  [
    'a key that is cut',
    {
      local:
        'local: {url: "https://r.example", clientCertFile: /run/cert, clientKeyFile: /run/half-key}',
    },
    '2:62  local.clientKeyFile: the file /run/half-key holds a private key that cannot be read: it is cut or damaged',
  ],
  [
    'a certificate that is cut',
    { local: 'local: {url: "https://r.example", caFile: /run/half-cert}' },
    '2:35  local.caFile: the file /run/half-cert holds a certificate without its end: it is cut',
  ],
  [
    'a certificate that is damaged',
    { local: 'local: {url: "https://r.example", caFile: /run/bad-cert}' },
    '2:35  local.caFile: the file /run/bad-cert holds a certificate that cannot be read: it is cut or damaged',
  ],
  [
    'one of two certificates that is damaged',
    { local: 'local: {url: "https://r.example", caFile: /run/two-certs}' },
    '2:35  local.caFile: the file /run/two-certs holds 2 certificates, of which number 2 cannot be read: it is cut or damaged',
  ],
  [
    'a key that needs a passphrase',
    {
      local:
        'local: {url: "https://r.example", clientCertFile: /run/cert, clientKeyFile: /run/locked}',
    },
    '2:62  local.clientKeyFile: the file /run/locked holds a private key that is encrypted: there is nobody to ask for its passphrase',
  ],
  [
    'a user name with a colon',
    { local: 'local: {url: "https://r.example", username: "a:b", password: p}' },
    '2:35  local.username: a user name with a colon cannot log in: in HTTP the password begins behind it',
  ],
  [
    "an administrator's name with a colon",
    { more: 'admin: {username: "a:b", password: p}' },
    '15:9  admin.username: a user name with a colon cannot log in: in HTTP the password begins behind it',
  ],
  [
    'a password of blanks',
    { local: 'local: {url: "https://r.example", username: u, password: "  "}' },
    '2:48  local.password: the password is nothing but blanks',
  ],
  [
    'a password file of blanks',
    { local: 'local: {url: "https://r.example", username: u, passwordFile: /run/blank}' },
    '2:48  local.passwordFile: the file /run/blank holds nothing but blanks',
  ],
]

describe('a configuration with a mistake', () => {
  it.each(MISTAKES)('says what is wrong with %s', (_, parts, expected) => {
    expect(saidOf(parts)).toBe(`pullsync.yaml:${expected}`)
  })
})
