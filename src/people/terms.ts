import type { Person } from './person.ts'
import { normalisePhone } from './phone.ts'

/** What is compared when somebody searches, in one spelling: both when a person is indexed and when a text is looked for. */
export const SHORTEST_PREFIX = 3
export const LONGEST_PREFIX = 8
const MOST_WORDS = 12

/** Letters that Unicode does not take apart, as people type them on another keyboard. */
const LETTERS: Record<string, string> = {
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  ħ: 'h',
  ı: 'i',
  ŧ: 't',
  æ: 'ae',
  œ: 'oe',
  þ: 'th',
  ς: 'σ',
}
const unlike = new RegExp(`[${Object.keys(LETTERS).join('')}]`, 'gu')

/** Plain letters in lower case: marks, compatibility forms and apostrophes are taken away. */
export const fold = (text: string): string =>
  text
    .normalize('NFKD')
    .replaceAll(/[\p{M}\p{Cf}'’ʼ`´]/gu, '')
    .toUpperCase()
    .toLowerCase()
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(unlike, letter => LETTERS[letter]!)

export const pointsOf = (word: string): string[] => [...word]
const split = (folded: string): string[] => folded.split(/[^\p{L}\p{N}]+/u).filter(word => word !== '')

const UNSPACED = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}ー]+$/u

/** Each once. */
export const wordsOf = (text: string): string[] => [...new Set(split(fold(text)))].slice(0, MOST_WORDS)

/** The words of a person's names. Where names are written without a space, family and given name together are one too. */
export function nameWords({ givenName, familyName }: Pick<Person, 'givenName' | 'familyName'>): string[] {
  const words = wordsOf(`${familyName} ${givenName}`)
  const together = words.join('')
  return words.length > 1 && UNSPACED.test(together.normalize('NFKC')) ? [together, ...words] : words
}

/** Of an e-mail address, or of what somebody typed of one. */
export function addressWords(text: string) {
  const address = fold(text.trim()).replaceAll(/\s/gu, '')
  const local = address.split('@')[0]!
  return { address, local, words: wordsOf(local) }
}

/** Whether somebody typed (a part of) a telephone number. */
export const isCall = (text: string): boolean => /^[\s\p{Nd}+().\-/]+$/u.test(text) && /\p{Nd}/u.test(text)

/** Which of a number's first digits are its country (ITU-T E.164): none is the beginning of another. */
const COUNTRY = /^(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})/

/** The digits of a number as people begin to type it: with the country's code (no + and no 00), and in national form (no 0). */
export function callSpellings(number: string): string[] {
  const spelled = normalisePhone(number) ?? number.normalize('NFKC').replaceAll(/\D/g, '')
  const digits = spelled.replace(/^(?:\+|0+)/, '')
  const spellings = spelled.startsWith('+') ? [digits, digits.replace(COUNTRY, '')] : [digits]
  return spellings.filter(({ length }) => length >= SHORTEST_PREFIX)
}
