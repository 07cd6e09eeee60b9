import type { ContentFault, Disposition } from '../../replication/errors.ts'
import {
  capitalised,
  credentials,
  foreignUrls,
  login,
  permission,
  rateLimit,
  unknownManifest,
  untilSigned,
} from './advice.ts'
import type { ErrorBody } from './error-body.ts'
import { fits, type Row } from './classification-row.ts'
import type { Operation } from '../words/operation.ts'

/** What an unexpected answer means: what to do about it, and what the operator can do. */
export interface Classification {
  readonly disposition: Disposition
  readonly content?: ContentFault
  /** It has the image, and a policy keeps it from everybody. */
  readonly withheld?: true
  /** A sentence; absent when there is nothing to advise but patience. */
  readonly advice?: string
}

/** The first row that fits decides. */
export function classify(status: number, body: ErrorBody, operation: Operation): Classification {
  const row = ROWS.find((candidate) => fits(candidate, status, body, operation))
  if (row === undefined) return { disposition: 'permanent' }
  const advice = row.advice?.(operation.registry)
  const { disposition, content, withheld } = row
  return {
    disposition,
    ...(withheld && { withheld }),
    ...(content !== undefined && { content }),
    ...(advice !== undefined && { advice }),
  }
}

const ANY = [300, 599] as const

const ROWS: readonly Row[] = [
  {
    status: ANY,
    codes: ['TOOMANYREQUESTS', 'TOO_MANY_REQUEST', 'TOO_MANY_REQUESTS'],
    disposition: 'transient',
    advice: rateLimit,
  },
  {
    // Not 429: clouds call their rate limits quotas, too.
    status: [400, 413],
    text: /quota|configured upper limit/i,
    side: 'local',
    disposition: 'parked',
    advice: (at) => `Make room in ${at.name} or raise the project's quota.`,
  },
  {
    status: ANY,
    text: /no space left on device|disk quota exceeded/i,
    disposition: 'parked',
    advice: (at) => `The disk of ${at.name} is full: make room there.`,
  },
  {
    // Harbor while it collects garbage.
    status: ANY,
    text: /read[- ]?only mode/i,
    disposition: 'parked',
    advice: (at) => `Wait for ${at.name} to leave its read-only mode, or switch it off there.`,
  },
  {
    // Harbor: a project with a registry_id takes no pushes but its own.
    status: 403,
    text: /proxy project/i,
    disposition: 'permanent',
    advice: () =>
      'The local project is a proxy cache, which takes no pushes: make it a normal project.',
  },
  {
    // Harbor answers 401 with this, not 404, when the project is missing.
    status: [401, 404],
    text: /project \S+ not found/i,
    disposition: 'permanent',
    advice: (at) => `Create the project in ${at.name}, or correct the repository's name.`,
  },
  {
    // A signed link that has expired, or that a wrong clock makes look so.
    status: [400, 404],
    kinds: ['storage'],
    disposition: 'transient',
    advice: (at) =>
      `The object store that ${at.name} redirects to refused its link: if this stays, compare their clocks.`,
  },
  {
    status: [401, 403],
    kinds: ['moved'],
    disposition: 'permanent',
    advice: (at) =>
      `${capitalised(at.name)} redirects to another port or protocol, where credentials are not sent: write that address in ${at.keys}.url.`,
  },
  {
    // The upload was begun with the same credentials a moment ago: its token has expired since.
    status: 401,
    kinds: ['commit'],
    disposition: 'transient',
  },
  {
    status: [401, 403],
    kinds: ['check', 'token'],
    disposition: 'permanent',
    advice: login,
  },
  // OAuth2, of a refresh token or a password.
  { status: 400, text: /invalid_grant/, kinds: ['token'], disposition: 'permanent', advice: login },
  {
    // A proxy in between; through a tunnel it cannot answer like this.
    status: 407,
    disposition: 'permanent',
    advice: () => 'Put a username and a password into the address in HTTP_PROXY.',
  },
  {
    // nginx, before a registry.
    status: 400,
    text: /SSL certificate/i,
    disposition: 'permanent',
    advice: (at) =>
      `The server wants a certificate of its clients: check ${at.keys}.clientCertFile and ${at.keys}.clientKeyFile.`,
  },
  {
    status: 401,
    disposition: 'permanent',
    advice: credentials,
  },
  {
    status: 403,
    disposition: 'permanent',
    advice: permission,
  },
  {
    // The upload session was lost, or its state is of another replica of the registry.
    status: [404, 416],
    codes: ['BLOB_UPLOAD_UNKNOWN', 'BLOB_UPLOAD_INVALID', 'RANGE_INVALID'],
    disposition: 'transient',
  },
  {
    // The same, told by a proxy: the registry itself has named this place a moment ago.
    status: 404,
    kinds: ['commit'],
    disposition: 'transient',
  },
  {
    // Garbage collection took it between two requests, or a mount had promised it.
    status: [400, 404],
    codes: ['MANIFEST_BLOB_UNKNOWN', 'BLOB_UNKNOWN', 'MANIFEST_UNKNOWN'],
    side: 'local',
    kinds: ['manifest'],
    disposition: 'transient',
    content: 'missing',
    advice: (at) => `Content vanished from ${at.name} during the copy; it is looked for again.`,
  },
  {
    // Harbor, for an index with a child that it does not have.
    status: 404,
    text: /artifact \S+ not found/i,
    side: 'local',
    kinds: ['manifest'],
    disposition: 'transient',
    content: 'missing',
  },
  {
    status: 404,
    kinds: ['blob'],
    side: 'upstream',
    disposition: 'transient',
    advice: (at) =>
      `${capitalised(at.name)} lists this blob in a manifest but does not have it: push the image there again if this stays.`,
  },
  {
    status: 404,
    kinds: ['check'],
    disposition: 'permanent',
    advice: (at) => `There is no registry at this address: check ${at.keys}.url.`,
  },
  {
    status: 404,
    kinds: ['upload', 'manifest'],
    side: 'local',
    disposition: 'permanent',
    advice: (at) =>
      `Check that ${at.keys}.url is a registry, and that the project exists there and may be pushed to.`,
  },
  {
    // distribution's Go server, to http on its TLS port.
    status: 400,
    text: /http request to an https server|plain http request was sent to https/i,
    disposition: 'permanent',
    advice: (at) => `The registry speaks TLS: write https:// in ${at.keys}.url.`,
  },
  {
    // What arrived is not what was sent.
    status: 400,
    codes: ['DIGEST_INVALID', 'SIZE_INVALID', 'BLOB_UPLOAD_INVALID'],
    kinds: ['upload', 'commit'],
    disposition: 'transient',
  },
  {
    // Harbor refuses even an identical image under an immutable tag.
    status: [400, 412],
    text: /immutable/i,
    disposition: 'permanent',
    advice: () =>
      'The tag is immutable in the local registry and has another digest there: remove the tag or exempt it from the rule.',
  },
  {
    // distribution unless it is told which URLs to allow: layers that are to be fetched from elsewhere.
    status: 500,
    codes: ['MANIFEST_BLOB_UNKNOWN'],
    side: 'local',
    kinds: ['manifest'],
    disposition: 'permanent',
    advice: foreignUrls,
  },
  {
    status: [400, 422],
    codes: ['MANIFEST_INVALID', 'UNSUPPORTED'],
    side: 'local',
    kinds: ['manifest'],
    disposition: 'permanent',
    content: 'invalid',
    advice: unknownManifest,
  },
  {
    status: 415,
    side: 'local',
    kinds: ['manifest'],
    disposition: 'permanent',
    content: 'unsupported',
    advice: unknownManifest,
  },
  {
    // Harbor, of a project's images that are not signed, not scanned, or vulnerable.
    status: 412,
    kinds: ['manifest'],
    disposition: 'parked',
    withheld: true,
    advice: untilSigned,
  },
  {
    status: 412,
    disposition: 'permanent',
    advice: (at) => `A policy of ${at.name} forbids it: change the policy or the image.`,
  },
  {
    status: 413,
    disposition: 'permanent',
    advice: (at) =>
      `${capitalised(at.name)}, or a proxy before it, limits the size: raise the limit (nginx: client_max_body_size 0).`,
  },
  { status: 429, disposition: 'transient', advice: rateLimit },
  { status: 408, disposition: 'transient' },
  { status: 425, disposition: 'transient' },
  // nginx: the client had closed, which it says also when it gave up itself.
  { status: 499, disposition: 'transient' },
  {
    status: 501,
    disposition: 'permanent',
    advice: (at) => `${capitalised(at.name)} does not support this.`,
  },
  {
    status: 507,
    disposition: 'parked',
    advice: (at) => `The storage of ${at.name} is full: make room there.`,
  },
  {
    status: [500, 599],
    disposition: 'transient',
    advice: (at) => `If this stays, look into the log of ${at.name}.`,
  },
  {
    status: [300, 399],
    disposition: 'permanent',
    advice: (at) =>
      `Redirects of this request are not followed: set ${at.keys}.url to where the registry really is.`,
  },
  {
    // distribution in its read-only mode: its pull-through cache says UNSUPPORTED instead.
    status: 405,
    text: /^(?!.*unsupported)/i,
    side: 'local',
    kinds: ['upload'],
    disposition: 'parked',
    advice: (at) =>
      `${capitalised(at.name)} takes no uploads: wait for the end of its read-only mode, or switch it off there; if it has none, check ${at.keys}.url.`,
  },
  {
    status: 405,
    disposition: 'permanent',
    advice: (at) =>
      `${capitalised(at.name)} does not take this request: a pull-through cache takes no pushes, and a web server is no registry; check ${at.keys}.url.`,
  },
]
