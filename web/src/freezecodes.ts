import { sha256Hex, toHex } from './statement.ts'

/** Paper codes, made in this browser: the server gets their hashes alone. Each freezes every delivery once. */
const COUNT = 8
const BYTES = 12

export const makeFreezeCodes = (): string[] =>
  Array.from({ length: COUNT }, () =>
    (toHex(crypto.getRandomValues(new Uint8Array(BYTES))).match(/.{4}/g) ?? []).join('-'),
  )

export const hashesOf = (codes: string[]): Promise<string[]> => Promise.all(codes.map(code => sha256Hex(code)))
