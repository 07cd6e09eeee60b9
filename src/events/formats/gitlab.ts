import type { SecretFormat } from '../format.ts'
import { distribution } from './distribution.ts'

/**
 * The container registry of a self-managed GitLab, a fork of distribution: the same events, in either
 * envelope, and the secret bare in `Authorization`. It gives a refused delivery up after its own
 * number of tries, and what waits behind it may be lost meanwhile; it is answered like distribution.
 */
export const gitlab: SecretFormat = distribution
