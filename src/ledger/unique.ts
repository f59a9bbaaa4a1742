import { hash } from 'node:crypto'

const FIELDS = 3 // two halves of a fingerprint, and the index plus one: 0 is an empty slot

/**
 * Which entry used up a unique key: 12 bytes a slot, open addressing, at most two thirds full. Rebuilt from the leaves at start.
 * Only 64 bits of a key are kept, so every hit is compared with the entry itself.
 */
export class UniqueIndex {
  #capacity = 1024
  #slots = new Uint32Array(this.#capacity * FIELDS)
  #used = 0

  /** `holds` tells whether the entry at an index really has this key. */
  find(key: string, holds: (index: number) => boolean): number | undefined {
    const { high, low } = fingerprint(key)
    for (let at = low % this.#capacity; ; at = (at + 1) % this.#capacity) {
      const index = this.#slots[at * FIELDS + 2]!
      if (index === 0) return undefined
      const same = this.#slots[at * FIELDS] === high && this.#slots[at * FIELDS + 1] === low
      if (same && holds(index - 1)) return index - 1
    }
  }

  add(key: string, index: number): void {
    if (this.#used * 3 >= this.#capacity * 2) this.#grow()
    const { high, low } = fingerprint(key)
    this.#put(high, low, index + 1)
    this.#used++
  }

  #put(high: number, low: number, value: number) {
    let at = low % this.#capacity
    while (this.#slots[at * FIELDS + 2] !== 0) at = (at + 1) % this.#capacity
    this.#slots.set([high, low, value], at * FIELDS)
  }

  #grow() {
    const old = this.#slots
    this.#capacity *= 2
    this.#slots = new Uint32Array(this.#capacity * FIELDS)
    for (let at = 0; at < old.length; at += FIELDS)
      if (old[at + 2] !== 0) this.#put(old[at]!, old[at + 1]!, old[at + 2]!)
  }
}

function fingerprint(key: string): { high: number; low: number } {
  const hex = hash('sha256', key, 'hex')
  return { high: Number.parseInt(hex.slice(0, 8), 16), low: Number.parseInt(hex.slice(8, 16), 16) }
}
