import { ConfigError } from '../../../../src/config/config-error.ts'
import { problemsOf, yamlWith } from '../parsed-yaml.ts'
import { CERTIFICATE, KEY, OTHER_KEY } from '../pem-files.ts'

/** What is wrong, the parts of the file in which it stands, and what is said of it. */
export type Mistake = readonly [string, Parameters<typeof yamlWith>[0], string]

/** What is said of a file, otherwise correct and of a known number of lines, with these parts. */
export function saidOf(parts: Mistake[1]): string {
  const problems = problemsOf(yamlWith(parts), {
    files: {
      '/run/full': 'hunter2\n',
      '/run/empty': '\n',
      '/run/blank': ' \t\n',
      '/run/blank-end': 'hunter2 \n',
      '/run/umlaut': 'hünter2\n',
      '/run/docker': '{}',
      '/run/cert': CERTIFICATE,
      '/run/half-cert': CERTIFICATE.slice(0, 200),
      '/run/bad-cert': CERTIFICATE.replace('MII', 'MIJ'),
      '/run/two-certs': CERTIFICATE + CERTIFICATE.replace('MII', 'MIJ'),
      '/run/key': KEY,
      '/run/half-key': KEY.slice(0, 100),
      '/run/other-key': OTHER_KEY,
      '/run/locked': '-----BEGIN ENCRYPTED PRIVATE KEY-----',
    },
  })
  return new ConfigError('pullsync.yaml', problems).message
}
