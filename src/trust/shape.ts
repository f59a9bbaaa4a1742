import { BulkheadError } from '../base/errors.ts'

/** Column-of-guards checks for statements: every key known, every value of its form. No library, since this runs on both sides of every wall. */
export type Check<T> = (value: unknown, at: string) => T

const fail = (at: string, wanted: string): never => {
  throw new BulkheadError('MALFORMED', `${at} must be ${wanted}.`)
}

export const text =
  (pattern: RegExp, wanted: string): Check<string> =>
  (value, at) =>
    typeof value === 'string' && pattern.test(value) ? value : fail(at, wanted)

export const uuid = text(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/, 'a UUID in lower case')
export const digest = text(/^[0-9a-f]{64}$/, 'a SHA-256 in lower-case hex')
export const base64url = text(/^[A-Za-z0-9_-]{0,20000}$/, 'base64url')
export const base64 = text(/^[A-Za-z0-9+/]{0,20000}={0,2}$/, 'base64')
export const alias = text(/^[a-z0-9][a-z0-9-]{0,62}$/, 'an alias (a-z, 0-9, -)')
export const line = text(/^[^\p{Cc}]{0,300}$/u, 'one line of at most 300 characters')
export const flag: Check<boolean> = (value, at) => (typeof value === 'boolean' ? value : fail(at, 'true or false'))

export const whole =
  (least: number, most: number): Check<number> =>
  (value, at) =>
    Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
      ? (value as number)
      : fail(at, `a whole number from ${least} to ${most}`)

/** Seconds since 1970. */
export const time = whole(0, 100_000_000_000)

export const oneOf =
  <const T extends string>(...allowed: T[]): Check<T> =>
  (value, at) =>
    allowed.includes(value as T) ? (value as T) : fail(at, `one of ${allowed.join(', ')}`)

export const listOf =
  <T>(check: Check<T>, most: number): Check<T[]> =>
  (value, at) =>
    Array.isArray(value) && value.length <= most
      ? value.map((item, index) => check(item, `${at}[${index}]`))
      : fail(at, `a list of at most ${most}`)

type Shape = Record<string, Check<unknown>>
type Of<S extends Shape> = { [K in keyof S]: ReturnType<S[K]> }
type OfOptional<S extends Shape> = { [K in keyof S]?: ReturnType<S[K]> }

/** An object with exactly these keys (`optional` ones may be missing); an unknown key is refused by name. */
export const object =
  <S extends Shape, O extends Shape = Record<never, never>>(shape: S, optional?: O): Check<Of<S> & OfOptional<O>> =>
  (value, at) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return fail(at, 'an object')
    const source = value as Record<string, unknown>
    const result: Record<string, unknown> = {}
    for (const key of Object.keys(source)) {
      const check = Object.hasOwn(shape, key)
        ? shape[key]
        : optional && Object.hasOwn(optional, key)
          ? optional[key]
          : undefined
      if (!check) return fail(`${at}.${key.slice(0, 40)}`, 'left out: it is not known here')
      result[key] = check(source[key], `${at}.${key}`)
    }
    for (const key of Object.keys(shape)) if (!Object.hasOwn(source, key)) return fail(`${at}.${key}`, 'given')
    return result as Of<S> & OfOptional<O>
  }
