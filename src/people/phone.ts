/** Italy, San Marino and the Vatican, where the leading 0 belongs to the number. */
const KEEPS_ZERO = ['39', '378', '379']
const DIGITS = /\p{Nd}/gu

/**
 * A telephone number in one spelling: `+` and digits where the country is known, else the digits as they were. `country`: the calling code of
 * numbers in national form, such as 32. Undefined where the text is no number.
 */
export function normalisePhone(text: string, country?: string): string | undefined {
  const plain = text
    .normalize('NFKC')
    .replaceAll(/\p{Cf}/gu, '')
    .replaceAll(DIGITS, asciiDigit)
    .replaceAll(/^tel:/gi, '')
  if (!/^\s*\+?[\d\s().\-/\u2010-\u2015\u2212]+$/u.test(plain)) return undefined
  const international = /^\s*\+/.test(plain) || /^\s*00[1-9]/.test(plain.replaceAll(/[^\d]/g, ''))
  const digits = (international ? plain.replace('(0)', '') : plain).replaceAll(/\D/g, '')
  const spelled = international ? `+${digits.replace(/^00/, '')}` : nationalWith(digits, country)
  return /^\+[1-9]\d{3,14}$|^\d{3,15}$/.test(spelled) ? spelled : undefined
}

function nationalWith(digits: string, country: string | undefined): string {
  if (country === undefined) return digits
  // A spreadsheet drops the + of a number: what has the country's code and is too long for a national number is whole already.
  if (digits.startsWith(country) && digits.length >= country.length + 8) return `+${digits}`
  return `+${country}${KEEPS_ZERO.includes(country) ? digits : digits.replace(/^0/, '')}`
}

/** Each script has its digits in a row of ten, from a code point whose value is told by counting back to the first. */
function asciiDigit(digit: string): string {
  const point = digit.codePointAt(0)!
  let first = point
  while (point - first < 9 && /\p{Nd}/u.test(String.fromCodePoint(first - 1))) first--
  return String((point - first) % 10)
}
