import { isAscii, isUtf8 } from 'node:buffer'
import { malformed } from './limits.ts'

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['apos', "'"],
  ['quot', '"'],
])
/** `#x10FFFF` with room for a few leading zeros. */
const REFERENCE_LENGTH = 12
const TAB = 0x09
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const SPACE = 0x20

/** Whether a code unit is XML white space. Carriage returns are gone by then: see `decodeSource`. */
export function isSpace(code: number): boolean {
  return code === SPACE || code === LINE_FEED || code === TAB || code === CARRIAGE_RETURN
}

/** Whether every character may occur in XML 1.0 (section 2.2). Surrogates have to be checked elsewhere. */
function hasOnlyXmlCharacters(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < SPACE ? code !== LINE_FEED && code !== TAB && code !== CARRIAGE_RETURN : code >= 0xfffe) return false
  }
  return true
}

/** Turns the bytes of a document into text with line ends as XML has them (section 2.11). Throws MALFORMED. */
export function decodeSource(bytes: Buffer): string {
  const first = bytes[0]
  if ((first === 0xfe && bytes[1] === 0xff) || (first === 0xff && bytes[1] === 0xfe)) {
    throw malformed('it is UTF-16; only UTF-8 is read')
  }
  const start = first === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
  const text = start === 0 && isAscii(bytes) ? bytes.toString('latin1') : decodeUtf8(bytes.subarray(start))
  if (!hasOnlyXmlCharacters(text)) throw malformed('it has a character that XML forbids')
  return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text
}

function decodeUtf8(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw malformed('it is not UTF-8')
  return bytes.toString('utf8')
}

/** Resolves the five entities of XML and numeric references. Throws MALFORMED for any other entity. */
export function unescapeText(text: string): string {
  let from = 0
  let out = ''
  for (let at = text.indexOf('&'); at >= 0; at = text.indexOf('&', from)) {
    const end = text.indexOf(';', at)
    if (end < 0 || end - at > REFERENCE_LENGTH) throw malformed('an entity has no end')
    out += text.slice(from, at) + resolve(text.slice(at + 1, end))
    from = end + 1
  }
  return out + text.slice(from)
}

function resolve(name: string): string {
  const known = ENTITIES.get(name)
  if (known !== undefined) return known
  const number = /^#(?:x([0-9a-fA-F]+)|([0-9]+))$/.exec(name)
  if (number === null) throw malformed('an entity is unknown')
  const point = number[1] === undefined ? Number(number[2]) : Number.parseInt(number[1], 16)
  if (point > 0x10ffff) throw malformed('a character reference is out of range')
  const character = String.fromCodePoint(point)
  if (!character.isWellFormed() || !hasOnlyXmlCharacters(character)) {
    throw malformed('a character reference names a character that XML forbids')
  }
  return character
}

/** Writes text for an element's content. Throws MALFORMED for characters that XML cannot carry, even escaped. */
export function escapeText(text: string): string {
  if (!text.isWellFormed() || !hasOnlyXmlCharacters(text)) throw malformed('a text has a character that XML forbids')
  if (!/[&<>\r]/.test(text)) return text
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('\r', '&#13;')
}
