/** A sign that something is not as it should be. Codes and opaque ids only. */
export type Trace = { code: string; device?: string; order?: string; reason?: string; count?: number }
