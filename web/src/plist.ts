/** Reads the XML property lists that orders are made of, to show them. Strict and small: anything unexpected throws. */
export type Plist = string | number | boolean | PlistData | Plist[] | PlistDict
export type PlistDict = { [key: string]: Plist }

/** The text between data tags: base64, or the mark of a hole. */
export class PlistData {
  readonly base64: string
  constructor(base64: string) {
    this.base64 = base64
  }
}

export const isDict = (value: Plist | undefined): value is PlistDict =>
  typeof value === 'object' && !Array.isArray(value) && Object.getPrototypeOf(value) === null

const TOKEN = /<(\/?)([a-z]+)(?:\s[^<>]*?)?(\/?)>|([^<]+)/gy
const MAX_DEPTH = 40
type Token = { open: string } | { close: string } | { text: string }

/** Throws on anything that is not one whole property list. */
export function readPlist(bytes: Uint8Array): Plist {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  const start = text.search(/<plist[\s>]/)
  if (start < 0 || /<!\[|<!ENTITY|<!--/.test(text)) throw new Error('Not a plain property list.')
  const reader = new Reader(tokens(text.slice(start)))
  reader.opened('plist')
  const value = reader.value(0)
  reader.closed('plist')
  reader.ended()
  return value
}

function tokens(text: string): Token[] {
  const found: Token[] = []
  let end = 0
  for (const match of text.matchAll(TOKEN)) {
    end = match.index + match[0].length
    const [, slash, name = '', empty, words] = match
    if (words !== undefined) found.push({ text: words })
    else if (slash) found.push({ close: name })
    else found.push({ open: name }, ...(empty ? [{ close: name }] : []))
  }
  if (end !== text.length) throw new Error('Not a property list.')
  return found
}

class Reader {
  private readonly tokens: Token[]
  private at = 0
  constructor(list: Token[]) {
    this.tokens = list
  }

  opened(name: string) {
    const token = this.next()
    if (!('open' in token) || token.open !== name) throw new Error(`A property list without <${name}>.`)
  }

  closed(name: string) {
    const token = this.next()
    if (!('close' in token) || token.close !== name) throw new Error(`A property list without </${name}>.`)
  }

  ended() {
    this.skip()
    if (this.at < this.tokens.length) throw new Error('A property list with more after it.')
  }

  value(depth: number): Plist {
    if (depth > MAX_DEPTH) throw new Error('A property list that is too deep.')
    const token = this.next()
    if (!('open' in token)) throw new Error('A property list without a value.')
    const { open } = token
    if (open === 'dict') return this.dict(depth)
    if (open === 'array') return this.array(depth)
    const text = this.text(open)
    if (open === 'string' || open === 'date') return text
    if (open === 'data') return new PlistData(text.replace(/\s/g, ''))
    if (open === 'integer' || open === 'real') return Number(text)
    if (open === 'true' || open === 'false') return open === 'true'
    throw new Error(`A property list with <${open}>.`)
  }

  private dict(depth: number): PlistDict {
    const dict: PlistDict = Object.create(null)
    while (!this.ends('dict')) {
      this.opened('key')
      const key = this.text('key')
      if (Object.hasOwn(dict, key)) throw new Error(`A property list with ${key} twice.`)
      dict[key] = this.value(depth + 1)
    }
    return dict
  }

  private array(depth: number): Plist[] {
    const list: Plist[] = []
    while (!this.ends('array')) list.push(this.value(depth + 1))
    return list
  }

  private ends(name: string): boolean {
    this.skip()
    const token = this.tokens[this.at]
    if (!token || !('close' in token)) return false
    this.closed(name)
    return true
  }

  private text(name: string): string {
    const token = this.tokens[this.at]
    if (token && 'text' in token) this.at += 1
    this.closed(name)
    return token && 'text' in token ? unescaped(token.text) : ''
  }

  private next(): Token {
    this.skip()
    const token = this.tokens[this.at++]
    if (!token) throw new Error('A property list that is cut short.')
    return token
  }

  private skip() {
    for (
      let token = this.tokens[this.at];
      token && 'text' in token && token.text.trim() === '';
      token = this.tokens[this.at]
    )
      this.at += 1
  }
}

const NAMED: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

const unescaped = (text: string) =>
  text.replace(/&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|([a-z]+));/g, (_, hex, decimal, name) => {
    if (name === undefined) return String.fromCodePoint(Number.parseInt(hex ?? decimal, hex ? 16 : 10))
    return NAMED[name] ?? `&${name};`
  })
