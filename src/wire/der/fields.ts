import { type Element, malformed } from './read.ts'

/** Takes the children of a SEQUENCE or SET one after the other; `what` names the structure in errors. */
export class Fields {
  readonly #children: readonly Element[]
  readonly #what: string
  #at = 0

  constructor(parent: Element, tag: number, what: string) {
    if (parent.tag !== tag) throw malformed(`${what}: tag ${hex(parent.tag)} where ${hex(tag)} belongs.`)
    this.#children = parent.children
    this.#what = what
  }

  /** The next child, which must carry one of the tags. */
  next(...tags: number[]): Element {
    const child = this.any()
    if (tags.includes(child.tag)) return child
    throw malformed(`${this.#what}: tag ${hex(child.tag)} where ${tags.map(hex).join(' or ')} belongs.`)
  }

  /** The next child if it carries the tag; otherwise nothing is taken. */
  optional(tag: number): Element | undefined {
    return this.#children[this.#at]?.tag === tag ? this.#children[this.#at++] : undefined
  }

  /** The next child whatever its tag. */
  any(): Element {
    const child = this.#children[this.#at++]
    if (child === undefined) throw malformed(`${this.#what}: a part is missing.`)
    return child
  }

  /** Refuses children that nobody asked for. */
  end(): void {
    if (this.#at < this.#children.length) throw malformed(`${this.#what}: more parts than it may have.`)
  }
}

function hex(tag: number): string {
  return tag.toString(16).padStart(2, '0')
}
