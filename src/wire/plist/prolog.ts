import { isSpace } from './characters.ts'
import { malformed } from './limits.ts'

// Each part of a prolog is matched within a short window, so a hostile one cannot keep these busy.
const PART_LENGTH = 2048
const DECLARATION =
  /^<\?xml[ \t\n]+version[ \t\n]*=[ \t\n]*(?:"1\.0"|'1\.0')(?:[ \t\n]+encoding[ \t\n]*=[ \t\n]*(?:"([A-Za-z0-9._-]+)"|'([A-Za-z0-9._-]+)'))?(?:[ \t\n]+standalone[ \t\n]*=[ \t\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\n]*\?>/
// A public identifier has its own small alphabet (XML 1.0, section 2.3); of system identifiers only the brackets are refused.
const DOCTYPE =
  /^<!DOCTYPE[ \t\n]+plist(?:[ \t\n]+(?:PUBLIC[ \t\n]+(?:"[ \n\w'()+,./:=?;!*#@$%-]*"|'[ \n\w()+,./:=?;!*#@$%-]*')|SYSTEM)[ \t\n]+(?:"[^"<>]*"|'[^'<>]*'))?[ \t\n]*>/
const ROOT = /^<plist(?:[ \t\n]+version[ \t\n]*=[ \t\n]*(?:"1\.0"|'1\.0'))?[ \t\n]*>/
const ENCODINGS = new Set(['utf-8', 'us-ascii'])

/** How nearly every document starts. */
export const APPLE_PROLOG = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
`

/**
 * Reads everything before the first value: XML declaration, document type without an internal subset, `plist` start tag.
 * Returns the place after it. The document type's address is never looked at. Throws MALFORMED.
 */
export function decodeProlog(text: string): number {
  if (text.startsWith(APPLE_PROLOG)) return APPLE_PROLOG.length
  let at = skipDeclaration(text)
  at = skipMisc(text, at)
  if (text.startsWith('<!DOCTYPE', at)) {
    at = match(DOCTYPE, text, at, 'its document type is not the plain one of a property list').end
    at = skipMisc(text, at)
  }
  return match(ROOT, text, at, 'it has no plist element of version 1.0').end
}

function skipDeclaration(text: string): number {
  if (!text.startsWith('<?xml')) return 0
  const { end, groups } = match(DECLARATION, text, 0, 'its XML declaration is wrong')
  const encoding = groups[1] ?? groups[2] ?? 'utf-8'
  if (!ENCODINGS.has(encoding.toLowerCase())) throw malformed('its encoding is not UTF-8')
  return end
}

function match(pattern: RegExp, text: string, at: number, otherwise: string): { end: number; groups: RegExpExecArray } {
  const groups = pattern.exec(text.slice(at, at + PART_LENGTH))
  if (groups === null) throw malformed(otherwise)
  return { end: at + groups[0].length, groups }
}

/** Skips white space and comments; returns the place after them. Throws MALFORMED. */
export function skipMisc(text: string, at: number): number {
  for (;;) {
    while (isSpace(text.charCodeAt(at))) at++
    if (!text.startsWith('<!--', at)) return at
    at = skipComment(text, at)
  }
}

/** Skips the comment that starts at `at`; returns the place after it. Throws MALFORMED. */
export function skipComment(text: string, at: number): number {
  const dashes = text.indexOf('--', at + 4)
  if (dashes < 0 || text[dashes + 2] !== '>') throw malformed('a comment has no end')
  return dashes + 3
}
