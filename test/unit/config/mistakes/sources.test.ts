import { describe, expect, it } from 'vitest'
import { type Mistake, saidOf } from './mistake.ts'

const MISTAKES: readonly Mistake[] = [
  [
    'a secret of blanks',
    { sources: 'sources:\n  edge: {format: github, registry: local, secret: [a, "  "]}' },
    '11:55  sources.edge.secret[1]: the secret is nothing but blanks',
  ],
  [
    'a blank at the end of a secret that comes in a header',
    { sources: 'sources:\n  edge: {format: harbor, registry: local, secretFile: /run/blank-end}' },
    '11:43  sources.edge.secretFile: the secret begins or ends with a blank: it comes in an HTTP header, which loses that on the way',
  ],
  [
    'a secret that no header can hold',
    {
      sources: 'sources:\n  edge: {format: distribution, registry: local, secretFile: /run/umlaut}',
    },
    '11:49  sources.edge.secretFile: the secret has other characters than printable ASCII: it comes in an HTTP header, where each sender writes them in another way',
  ],
  [
    'a source without secret',
    { sources: 'sources:\n  edge: {format: distribution, registry: local}' },
    '11:3  sources.edge: needs a secret or secretFile: without one anybody could post events',
  ],
  [
    'three secrets',
    { sources: 'sources:\n  edge: {format: distribution, registry: local, secret: [a, b, c]}' },
    '11:49  sources.edge.secret: at most 2 are allowed',
  ],
  [
    'both forms of a secret',
    {
      sources:
        'sources:\n  edge: {format: distribution, registry: local, secret: a, secretFile: /run/full}',
    },
    '11:60  sources.edge.secretFile: use secret or secretFile, not both',
  ],
  [
    'an unknown format',
    { sources: 'sources:\n  edge: {format: habor, registry: local, secret: a}' },
    '11:10  sources.edge.format: expected distribution, harbor, zot, quay, dockerhub, github, gitlab, gitea, acr, ecr, gar, artifactory, nexus, cloudevents or pull-miss (did you mean harbor?), got "habor"',
  ],
  [
    'a token without its owner',
    { sources: 'sources:\n  edge: {format: gar, registry: hq, audience: a}' },
    '11:3  sources.edge: format gar needs email: for whom the token of a delivery is, and of which account',
  ],
  [
    'a secret beside a token',
    { sources: 'sources:\n  edge: {format: gar, registry: hq, audience: a, email: b, secret: c}' },
    '11:60  sources.edge.secret: format gar proves itself with a signed token and has no secret',
  ],
  [
    'a token where there is none',
    { sources: 'sources:\n  edge: {format: quay, registry: hq, secret: a, email: b}' },
    '11:49  sources.edge.email: only sources of format gar have this key',
  ],
  [
    'keys over plain http',
    {
      sources:
        'sources:\n  edge: {format: gar, registry: hq, audience: a, email: b, keysUrl: "http://keys.example"}',
    },
    '11:60  sources.edge.keysUrl: expected an https URL, got "http://keys.example"',
  ],
  [
    'a source of an unknown registry',
    { sources: 'sources:\n  edge: {format: distribution, registry: hg, secret: a}' },
    '11:32  sources.edge.registry: expected local or an upstream (hq; did you mean hq?), got "hg"',
  ],
]

describe('a configuration with a mistake', () => {
  it.each(MISTAKES)('says what is wrong with %s', (_, parts, expected) => {
    expect(saidOf(parts)).toBe(`pullsync.yaml:${expected}`)
  })
})
