/**
 * What a property list holds. Integers within ±(2^53 - 1) are `number`, those beyond it `bigint` (-2^63 to 2^64 - 1).
 * Reals are `number` too: a decoded `<real>1</real>` is the number 1.
 */
export type PlistValue = string | number | bigint | boolean | Date | Uint8Array | PlistValue[] | PlistDict

/** A dictionary. Decoded ones have no prototype, so `__proto__` and `constructor` are keys like any other. */
export type PlistDict = { [key: string]: PlistValue }

/** What the encoders take: plain values, and `PlistReal` where a whole number has to be written as a real. */
export type PlistInput =
  | string
  | number
  | bigint
  | boolean
  | Date
  | Uint8Array
  | PlistReal
  | readonly PlistInput[]
  | { readonly [key: string]: PlistInput }

/** A number that the encoders write as a real even when it is whole. The decoders never return one. */
export class PlistReal {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}

/** The integers that the formats can hold: signed or unsigned 64 bits. */
export const LEAST_INTEGER = -(2n ** 63n)
export const GREATEST_INTEGER = 2n ** 64n - 1n

/** Whether an object is a plain dictionary, and not an instance of some class. */
export function isDictionary(value: unknown): value is { readonly [key: string]: PlistInput } {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}
