import type { Bytes } from './bytes.ts'

/**
 * Shamir's secret sharing over GF(2^8) with the polynomial of AES (FIPS 197, 4.2). Each byte is the value at 0 of a polynomial of degree needed - 1
 * with random coefficients; a share is its values at one other place. No table: nothing here takes longer for one secret than for another.
 */
export type Point = { index: number; bytes: Bytes }

export function times(one: number, other: number): number {
  let product = 0
  let left = one
  for (let bit = 0; bit < 8; bit++) {
    product ^= left & -((other >> bit) & 1)
    left = ((left << 1) ^ (0x11b & -(left >> 7))) & 0xff
  }
  return product
}

/** one^254, which is 1 / one; 0 gives 0. */
export function inverse(one: number): number {
  let power = one
  let result = 1
  for (let bit = 1; bit < 8; bit++) {
    power = times(power, power)
    result = times(result, power)
  }
  return result
}

/** `shares` at most 255, at the places 1, 2, 3… */
export function split(secret: Uint8Array, needed: number, shares: number, random: (length: number) => Bytes): Point[] {
  const coefficients = Array.from({ length: needed - 1 }, () => random(secret.length))
  return Array.from({ length: shares }, (_, at) => {
    const index = at + 1
    const bytes = Uint8Array.from(secret, (byte, place) => {
      let value = 0
      for (const coefficient of coefficients) value = times(value ^ coefficient[place]!, index)
      return value ^ byte
    })
    return { index, bytes }
  })
}

/** The value at 0 of the polynomial through these points (Lagrange), whose indexes must differ. Another secret where they are too few. */
export function combine(points: Point[]): Bytes {
  const secret = new Uint8Array(points[0]?.bytes.length ?? 0)
  for (const { index, bytes } of points) {
    let weight = 1
    for (const { index: other } of points)
      if (other !== index) weight = times(weight, times(other, inverse(other ^ index)))
    for (let place = 0; place < secret.length; place++) secret[place]! ^= times(weight, bytes[place]!)
  }
  return secret
}
