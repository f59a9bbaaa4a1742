import { BulkheadError } from '../../base/errors.ts'

/** Bounds on what is decoded. `maxItems` counts every value at every level; a root container has depth 1. */
export type PlistLimits = {
  /** Bytes of the document, and bytes of strings and data after shared binary objects are unfolded. Default 4 MiB, never above 64. */
  readonly maxBytes?: number
  /** Containers inside each other. Default 64, never above 512. */
  readonly maxDepth?: number
  /** Default 100,000. */
  readonly maxItems?: number
}

const MAX_BYTES = 4 * 1024 * 1024
const MAX_DEPTH = 64
const MAX_ITEMS = 100_000

/** No setting goes further: the text of a document has to fit one string. */
const BYTES_CEILING = 64 * 1024 * 1024

/** No setting goes deeper: the decoders and encoders recurse, and must not meet the end of the stack. */
export const DEPTH_CEILING = 512

/** An error for bytes or values that are not a property list. */
export function malformed(what: string): BulkheadError {
  return new BulkheadError('MALFORMED', `Not a valid property list: ${what}.`)
}

/** An error for a property list that is too large, too deep or too full. */
export function overLimit(what: string): BulkheadError {
  return new BulkheadError('LIMIT', `The property list has too many ${what}.`)
}

/** What one document may still cost. Each method throws LIMIT once its bound is passed. */
export class Budget {
  readonly maxBytes: number
  readonly maxItems: number
  readonly #maxDepth: number
  #bytes: number
  #items: number
  #depth = 0

  constructor(limits: PlistLimits = {}) {
    this.maxBytes = Math.min(limits.maxBytes ?? MAX_BYTES, BYTES_CEILING)
    this.maxItems = limits.maxItems ?? MAX_ITEMS
    this.#maxDepth = Math.min(limits.maxDepth ?? MAX_DEPTH, DEPTH_CEILING)
    this.#bytes = this.maxBytes
    this.#items = this.maxItems
  }

  /** Pays for one value. */
  item(): void {
    if (--this.#items < 0) throw overLimit('items')
  }

  /** Pays for text or data taken out of the document. */
  bytes(count: number): void {
    this.#bytes -= count
    if (this.#bytes < 0) throw overLimit('bytes')
  }

  /** Goes into a container. */
  enter(): void {
    if (++this.#depth > this.#maxDepth) throw overLimit('levels')
  }

  /** Comes out of it. */
  leave(): void {
    this.#depth--
  }
}
