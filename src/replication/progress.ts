/** How far a copy is; known sizes only, so the totals grow while an index is being walked. */
export interface Progress {
  readonly bytes: number
  readonly totalBytes: number
  readonly blobs: number
  readonly totalBlobs: number
}
