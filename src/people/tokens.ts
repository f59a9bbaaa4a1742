import { type Bytes, concat, utf8 } from './bytes.ts'
import { hkdf, hmac } from './hash.ts'
import type { Person } from './person.ts'
import {
  addressWords,
  callSpellings,
  isCall,
  LONGEST_PREFIX,
  nameWords,
  pointsOf,
  SHORTEST_PREFIX,
  wordsOf,
} from './terms.ts'

/**
 * Search tokens: what the server compares, without being able to make or test one. Each field has a key of its own, from the unit's private
 * key; a token is 12 bits of an HMAC of a prefix or a word, with the field's number above. Cut so short, each means many things: who has the table
 * cannot say that two people share a name because they share a token.
 */
export const TOKEN_BITS = 12
/** Their numbers stand in stored tokens: they never change. */
const FIELDS = { name: 1, email: 2, number: 3 } as const
type Field = keyof typeof FIELDS
/** Of one record; a name of many words loses its last ones. */
export const MOST_TOKENS = 200

export type Index = {
  /** Sorted, each once; 32-bit integers. */
  tokensOf(person: Person): number[]
  /**
   * What to look for: whoever fits has all the tokens of one of these lists, and others may, so what is found is opened and asked `matches`. Empty
   * where the text is too short to look for.
   */
  queryTokens(text: string): number[][]
}

export function openIndex(unitPrivateKey: Bytes, unit: string, genesisDigest: Uint8Array): Index {
  const token = tokenMaker(unitPrivateKey, unit, genesisDigest)
  return {
    tokensOf: person => [...new Set(termsOf(person).map(token))].slice(0, MOST_TOKENS).sort(ascending),
    queryTokens: text => queryTerms(text).map(terms => [...new Set(terms.map(token))].sort(ascending)),
  }
}
const ascending = (one: number, other: number) => one - other

function tokenMaker(unitPrivateKey: Bytes, unit: string, genesisDigest: Uint8Array) {
  const keyed = (field: Field) =>
    hmac(hkdf(unitPrivateKey, genesisDigest, concat(`bulkhead-tokens/v1\n${unit}\n${field}`), 32))
  const macs = { name: keyed('name'), email: keyed('email'), number: keyed('number') }
  return ([field, mark, term]: Term): number => {
    const mac = macs[field](bytesOf(mark + term))
    return (FIELDS[field] << TOKEN_BITS) | (mac[0]! << 4) | (mac[1]! >> 4)
  }
}

const plain = new Uint8Array(64)
/** UTF-8, valid until the next call: an encoder would take longer than the hashing for a few plain letters. */
function bytesOf(text: string): Uint8Array {
  const { length } = text
  if (length > plain.length) return utf8(text)
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at)
    if (code > 127) return utf8(text)
    plain[at] = code
  }
  return plain.subarray(0, length)
}

/** `<` a beginning, `=` the whole, `>` an end: the beginning "ada" of Adam is not the name Ada. */
type Mark = '<' | '=' | '>'
type Term = [Field, Mark, string]

const beginnings = (field: Field, word: string): Term[] => {
  const found: Term[] = []
  let [prefix, length] = ['', 0]
  for (const point of word) {
    prefix += point
    if (++length >= SHORTEST_PREFIX) found.push([field, '<', prefix])
    if (length === LONGEST_PREFIX) break
  }
  return found
}
const endings = (word: string): Term[] =>
  beginnings('number', [...word].reverse().join('')).map(([field, , term]) => [field, '>', term])
const whole = (field: Field, word: string): Term => [field, '=', word]

/** Beginnings, and the whole where there is any. A word too short for a beginning is looked for as a whole. */
const wordTerms = (field: Field, word: string): Term[] => [...beginnings(field, word), whole(field, word)]

function termsOf(person: Person): Term[] {
  const terms = nameWords(person).flatMap(word => wordTerms('name', word))
  const { local, words } = addressWords(person.email)
  if (local !== '') {
    terms.push(whole('email', `${local}@`))
    for (const word of new Set([local, ...words])) terms.push(...wordTerms('email', word))
  }
  const spellings = callSpellings(person.mobile)
  for (const spelling of spellings) terms.push(...beginnings('number', spelling))
  return terms.concat(spellings.slice(0, 1).flatMap(endings))
}

/** Each list is one way to read what was typed. */
function queryTerms(text: string): Term[][] {
  if (isCall(text)) {
    const [digits] = callSpellings(text)
    if (digits === undefined) return []
    return isInternational(text) ? [beginnings('number', digits)] : [beginnings('number', digits), endings(digits)]
  }
  const { local } = addressWords(text)
  if (text.includes('@')) return local === '' ? [] : [[...beginnings('email', local), whole('email', `${local}@`)]]
  const words = wordsOf(text)
  const last = words.at(-1)
  if (last === undefined) return []
  const named = words.flatMap(word => (word === last ? partTerms('name', word) : wordTerms('name', word)))
  return isOneWord(text) ? [named, partTerms('email', local)] : [named]
}

/** Of a word that may go on. */
const partTerms = (field: Field, word: string): Term[] =>
  isShort(word) ? [whole(field, word)] : beginnings(field, word)
const isShort = (word: string) => pointsOf(word).length < SHORTEST_PREFIX
const isOneWord = (text: string) => !/\s/u.test(text.trim())
const isInternational = (text: string) => /^\s*(?:\+|00)/.test(text.normalize('NFKC'))

/** Whether a person that was opened is looked for: every word begins (the last) or is (those before) one of theirs. */
export function matches(person: Person, text: string): boolean {
  if (isCall(text)) {
    const [digits] = callSpellings(text)
    const spellings = callSpellings(person.mobile)
    if (digits === undefined) return false
    return spellings.some(one => one.startsWith(digits)) || (!isInternational(text) && !!spellings[0]?.endsWith(digits))
  }
  const typed = addressWords(text)
  const { address, local, words } = addressWords(person.email)
  if (text.includes('@')) return typed.local !== '' && address.startsWith(typed.address)
  const fits = (one: string, word: string) => (isShort(word) ? one === word : one.startsWith(word))
  const [last, ...before] = wordsOf(text).reverse()
  if (last === undefined) return false
  const names = nameWords(person)
  if (names.some(name => fits(name, last)) && before.every(word => names.includes(word))) return true
  return isOneWord(text) && [local, ...words].some(word => fits(word, typed.local))
}
