import { BulkheadError } from '../base/errors.ts'

/** The tags of an XML text in their order, with the text behind each. No document type, so no entities but the five; one pass, no tree. */
export type Tag = { name: string; attributes: string; closes: boolean; empty: boolean; text: string }

const damaged = () => new BulkheadError('MALFORMED', 'The XLSX file holds XML that cannot be read.')

export function* tagsOf(xml: string): Generator<Tag> {
  let at = xml.indexOf('<')
  while (at >= 0) {
    const end = endOf(xml, at)
    const next = xml.indexOf('<', end + 1)
    const text = xml.slice(end + 1, next < 0 ? xml.length : next)
    const kind = xml[at + 1]
    if (kind !== '?' && kind !== '!') {
      const closes = kind === '/'
      const inner = xml.slice(at + (closes ? 2 : 1), end)
      const name = /^[\w.:-]+/.exec(inner)?.[0]
      if (name === undefined) throw damaged()
      yield { name: name.replace(/^.*:/, ''), attributes: inner, closes, empty: inner.endsWith('/'), text }
    }
    at = next
  }
}

/** Where the tag ends: a > inside quotation marks is none. */
function endOf(xml: string, from: number): number {
  if (xml.startsWith('<!--', from)) return mustFind(xml, '-->', from + 4) + 2
  if (xml[from + 1] === '!') throw damaged() // a document type, or CDATA, which no spreadsheet writes
  for (let at = from + 1; ; at++) {
    const char = xml[at]
    if (char === undefined) throw damaged()
    if (char === '>') return at
    if (char === '"' || char === "'") at = mustFind(xml, char, at + 1)
  }
}
function mustFind(xml: string, what: string, from: number): number {
  const at = xml.indexOf(what, from)
  if (at < 0) throw damaged()
  return at
}

export function attribute({ attributes }: Tag, name: string): string | undefined {
  const found = new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`).exec(attributes)
  const value = found?.[1] ?? found?.[2]
  return value === undefined ? undefined : unescapeXml(value)
}

const NAMED: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** Also spreadsheets' own _x000D_ for characters that XML cannot hold. */
export const unescapeXml = (text: string): string =>
  text
    .replaceAll(/&(#x[0-9a-f]{1,6}|#\d{1,7}|\w{1,8});/gi, (whole, entity: string) => {
      if (!entity.startsWith('#')) return NAMED[entity] ?? whole
      const point = /^#x/i.test(entity) ? Number.parseInt(entity.slice(2), 16) : Number(entity.slice(1))
      return point <= 0x10ffff ? String.fromCodePoint(point) : '\ufffd'
    })
    .replaceAll(/_x([0-9A-F]{4})_/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
