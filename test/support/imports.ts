import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import ts from 'typescript'

/** The import graph of our own sources, as TypeScript's own scanner reads it: file → what it names, type-only or not. */
export type Import = { to: string; typeOnly: boolean }
export type Graph = Map<string, Import[]>
export type Sources = Map<string, string>

const root = join(import.meta.dirname, '../..')

/** Every source file of a folder, tests apart: path below the root → text. */
export function readSources(...folders: string[]): Sources {
  const sources: Sources = new Map()
  for (const folder of folders)
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      const path = relative(root, join(entry.parentPath, entry.name))
      if (entry.isFile() && /\.tsx?$/.test(path) && !/\.test\.tsx?$/.test(path) && !path.includes('node_modules'))
        sources.set(path, readFileSync(join(root, path), 'utf8'))
    }
  return sources
}

export function graphOf(sources: Sources): Graph {
  return new Map([...sources].map(([path, text]) => [path, importsOf(path, text)]))
}

function importsOf(path: string, text: string): Import[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, false)
  const found: Import[] = []
  const add = (specifier: ts.Expression | undefined, typeOnly: boolean) => {
    // A computed import is one that no graph can follow.
    const to = specifier && ts.isStringLiteral(specifier) ? resolve(path, specifier.text) : 'computed'
    found.push({ to, typeOnly })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node))
      add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword)
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier) add(node.moduleSpecifier, node.isTypeOnly)
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], false)
    else if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === 'require')
      add(node.arguments[0], false)
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}

function resolve(from: string, specifier: string): string {
  return specifier.startsWith('.') ? normalize(join(dirname(from), specifier)) : specifier
}
