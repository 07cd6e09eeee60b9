/**
 * Whether a sender knows a secret, as far as the head of its delivery tells: yes, no, or a question to the
 * body, where the head holds a signature of it. A body is read for nobody whose head says no.
 */
export type Proof = boolean | BodyProof

/** Asked with the bytes as they came over the network, before any content encoding is undone. */
export type BodyProof = (body: Buffer) => boolean
