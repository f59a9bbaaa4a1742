import { decodeSource, isSpace, unescapeText } from './characters.ts'
import { type Budget, malformed } from './limits.ts'
import { decodeProlog, skipComment, skipMisc } from './prolog.ts'
import { decodeBase64, decodeDate, decodeInteger, decodeReal } from './scalar.ts'
import type { PlistDict, PlistValue } from './value.ts'

const LESS_THAN = 0x3c
const SLASH = 0x2f
const CDATA = '<![CDATA['

/** Reads an XML property list in one pass over its text. Throws MALFORMED or LIMIT. */
export function decodeXml(bytes: Buffer, budget: Budget): PlistValue {
  return new XmlReader(decodeSource(bytes), budget).document()
}

class XmlReader {
  readonly #text: string
  readonly #budget: Budget
  #at = 0
  /** Whether the last start tag was of the form `<name/>`. */
  #empty = false

  constructor(text: string, budget: Budget) {
    this.#text = text
    this.#budget = budget
  }

  document(): PlistValue {
    this.#at = decodeProlog(this.#text)
    const value = this.#value(this.#open())
    this.#skip()
    this.#close('plist')
    this.#skip()
    if (this.#at !== this.#text.length) throw malformed('something follows its end')
    return value
  }

  #skip(): void {
    const code = this.#text.charCodeAt(this.#at)
    if (code !== LESS_THAN || this.#text.charCodeAt(this.#at + 1) === 0x21) this.#at = skipMisc(this.#text, this.#at)
  }

  /** Whether an end tag comes next. */
  #atEnd(): boolean {
    this.#skip()
    return this.#text.charCodeAt(this.#at + 1) === SLASH && this.#text.charCodeAt(this.#at) === LESS_THAN
  }

  /** Reads a start tag, which may have no attributes; returns its name. */
  #open(): string {
    this.#skip()
    const text = this.#text
    const start = this.#at
    if (text.charCodeAt(start) !== LESS_THAN) throw malformed('an element is missing')
    let end = text.indexOf('>', start)
    if (end < 0) throw malformed('a tag has no end')
    this.#at = end + 1
    this.#empty = text.charCodeAt(end - 1) === SLASH
    if (this.#empty) end--
    while (isSpace(text.charCodeAt(end - 1))) end--
    return text.slice(start + 1, end)
  }

  /** Reads the end tag of an element. */
  #close(name: string): void {
    const text = this.#text
    if (!text.startsWith(`</${name}`, this.#at)) throw malformed('elements are not nested correctly')
    let at = this.#at + name.length + 2
    while (isSpace(text.charCodeAt(at))) at++
    if (text[at] !== '>') throw malformed('elements are not nested correctly')
    this.#at = at + 1
  }

  #value(name: string): PlistValue {
    this.#budget.item()
    switch (name) {
      case 'string':
        return this.#content('string')
      case 'dict':
        return this.#dict()
      case 'integer':
        return decodeInteger(this.#content('integer'))
      case 'data':
        return decodeBase64(this.#content('data'))
      case 'true':
        return this.#flag('true')
      case 'false':
        return this.#flag('false')
      case 'array':
        return this.#array()
      case 'date':
        return decodeDate(this.#content('date'))
      case 'real':
        return decodeReal(this.#content('real'))
      default:
        throw malformed('an element is unknown or has attributes')
    }
  }

  #flag(name: 'true' | 'false'): boolean {
    if (!this.#empty) this.#close(name)
    return name === 'true'
  }

  #array(): PlistValue[] {
    const array: PlistValue[] = []
    if (this.#empty) return array
    this.#budget.enter()
    while (!this.#atEnd()) array.push(this.#value(this.#open()))
    this.#close('array')
    this.#budget.leave()
    return array
  }

  #dict(): PlistDict {
    const dict: PlistDict = Object.create(null)
    if (this.#empty) return dict
    this.#budget.enter()
    while (!this.#atEnd()) {
      if (this.#open() !== 'key') throw malformed('a dictionary has something else than a key')
      const key = this.#content('key')
      if (key in dict) throw malformed('a key occurs twice')
      if (this.#atEnd()) throw malformed('a key has no value')
      dict[key] = this.#value(this.#open())
    }
    this.#close('dict')
    this.#budget.leave()
    return dict
  }

  /** Reads the text of an element and its end tag. */
  #content(name: string): string {
    if (this.#empty) return ''
    const plain = this.#run()
    const whole = this.#text.charCodeAt(this.#at + 1) === SLASH ? plain : plain + this.#pieces()
    this.#close(name)
    return whole
  }

  /** Reads text up to the next tag. */
  #run(): string {
    const end = this.#text.indexOf('<', this.#at)
    if (end < 0) throw malformed('it ends too early')
    const run = this.#text.slice(this.#at, end)
    if (run.includes(']]>')) throw malformed('text holds the end of a CDATA section')
    this.#at = end
    return run.includes('&') ? unescapeText(run) : run
  }

  /** Reads comments, CDATA sections and the text between them, up to an end tag. */
  #pieces(): string {
    const pieces: string[] = []
    while (this.#text.charCodeAt(this.#at + 1) !== SLASH) {
      if (this.#text.startsWith('<!--', this.#at)) this.#at = skipComment(this.#text, this.#at)
      else pieces.push(this.#section())
      pieces.push(this.#run())
    }
    return pieces.join('')
  }

  #section(): string {
    const start = this.#at + CDATA.length
    if (!this.#text.startsWith(CDATA, this.#at)) throw malformed('an element stands where text should')
    const end = this.#text.indexOf(']]>', start)
    if (end < 0) throw malformed('a CDATA section has no end')
    this.#at = end + 3
    return this.#text.slice(start, end)
  }
}
