import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

// A mutant is the program with one guard taken away. They are read off the source as it is now, so that a guard which is added is taken away
// too, without anybody remembering to.

/** `from`, `to`: what of the file's text is replaced by `text`. `test`: what should turn red, the smallest first. */
export type Mutant = { file: string; guard: string; from: number; to: number; text: string; tests: readonly string[] }

/** Files with guards, and the tests that know them. */
const FILES: Record<string, readonly string[]> = {
  'src/edge/turnstile.ts': ['src/edge/turnstile.test.ts'],
  'src/trust/approval.ts': ['src/trust/approval.test.ts', 'src/edge/turnstile.test.ts'],
  'src/trust/control.ts': ['src/trust/control.test.ts'],
  'src/trust/follow.ts': ['src/trust/follow.test.ts'],
  'src/ledger/control.ts': ['src/ledger/server.test.ts'],
  'src/edge/orders.ts': ['src/edge/orders.test.ts'],
  'src/ledger/deliveries.ts': ['src/ledger/deliveries.test.ts', 'src/ledger/server.test.ts'],
  'src/ledger/enrolments.ts': ['src/ledger/deliveries.test.ts'],
  'src/ledger/budgets.ts': ['src/ledger/deliveries.test.ts', 'src/ledger/server.test.ts'],
  'src/ledger/desk.ts': ['src/ledger/deliveries.test.ts', 'src/ledger/server.test.ts'],
}

/** Checks that say the same as another: with one gone the other refuses. Each names the other. */
export const DOUBLED: Record<string, string> = {}

export function mutantsOf(root: string): Mutant[] {
  return Object.entries(FILES).flatMap(([file, tests]) =>
    readMutants(readFileSync(join(root, file), 'utf8')).map(mutant => ({ ...mutant, file, tests })),
  )
}

type Bare = Omit<Mutant, 'file' | 'tests'>

/** Every guard of a source text, in order. */
export function readMutants(source: string): Bare[] {
  const file = ts.createSourceFile('x.ts', source, ts.ScriptTarget.ESNext, true)
  const found: Bare[] = []
  const visit = (node: ts.Node, place: string): void => {
    const inner = nameOf(node) ?? place
    const say = (what: string, at: ts.Node, text: string) =>
      found.push({ guard: `${inner}: ${short(what)}`, from: at.getStart(file), to: at.getEnd(), text })
    if (ts.isArrayLiteralExpression(node)) guardRow(node, inner, say)
    if (ts.isIfStatement(node)) checkedIf(node, inner, say)
    if (inner === 'policiesAt') coolingOff(node, say)
    if (inner === 'deliver' && isFilter(node)) say(node.parent.getText(file), node, '() => true')
    if (ts.isExpressionStatement(node) && isRequiring(node.expression)) say(node.expression.getText(file), node, ';')
    if (ts.isReturnStatement(node) && node.expression && place.startsWith('#allows'))
      if (isLogical(node.expression)) say(`return ${node.expression.getText(file)}`, node.expression, 'true')
    if (ts.isReturnStatement(node) && node.expression?.getText(file).startsWith('Math.max('))
      say(node.expression.getText(file), node.expression, '1')
    if (ts.isConditionalExpression(node) && /^(trustedAt|firstSeen)$/.test(inner))
      say(
        node.getText(file),
        node,
        `(${node.whenTrue.getText(file).replace('.', '?.')} ?? ${node.whenFalse.getText(file)})`,
      )
    ts.forEachChild(node, child => visit(child, inner))
  }
  visit(file, '')
  return found.map((mutant, at) => {
    const twin = found.slice(0, at).filter(({ guard }) => guard === mutant.guard).length
    return twin === 0 ? mutant : { ...mutant, guard: `${mutant.guard} (${twin + 1})` }
  })
}

type Say = (what: string, at: ts.Node, text: string) => void

/** A row of a table of guards holds whatever the facts; and a table is without those that it takes from elsewhere. */
function guardRow({ elements, parent }: ts.ArrayLiteralExpression, place: string, say: Say) {
  const [reason, , holds] = elements
  if (elements.length === 3 && reason && ts.isStringLiteral(reason) && holds && ts.isArrowFunction(holds))
    say(reason.text, holds, '() => true')
  if (!/GUARDS$/.test(place) || !ts.isVariableDeclaration(parent)) return
  for (const element of elements)
    if (ts.isSpreadElement(element)) say(element.getText(), element, '')
    else if (ts.isIdentifier(element)) say(element.text, element, '["-", "", () => true]')
}

/** An `if` that ends in a refusal never does; one that lets through always does. */
function checkedIf(node: ts.IfStatement, place: string, say: Say) {
  const { expression, thenStatement, elseStatement } = node
  const then = single(thenStatement)
  const what = expression.getText()
  if (ts.isThrowStatement(then)) say(what, expression, 'false')
  else if (ts.isReturnStatement(then) && then.expression) {
    const gives = then.expression.getText()
    if (gives === 'true') say(what, expression, 'true')
    else if (gives === 'false' || /^'|\? '/.test(gives)) say(what, expression, 'false')
  } else if (ts.isReturnStatement(then) && isThrow(following(node)) && place === 'check') say(what, expression, 'true')
  else if (elseStatement && /refus/.test(elseStatement.getText())) say(what, expression, 'true')
}

/** A policy that was weakened holds on for a while: it is forgotten. */
function coolingOff(node: ts.Node, say: Say) {
  if (
    ts.isArrowFunction(node) &&
    ts.isCallExpression(node.parent) &&
    /\.filter$/.test(node.parent.expression.getText())
  )
    say(node.parent.getText(), node, '() => false')
  if (ts.isExpressionStatement(node) && /\.push\(/.test(node.getText())) say(node.getText(), node, ';')
}

const isFilter = (node: ts.Node) =>
  ts.isArrowFunction(node) && ts.isCallExpression(node.parent) && /\.filter$/.test(node.parent.expression.getText())
const isThrow = (node: ts.Node | undefined) => node !== undefined && ts.isThrowStatement(node)
function following(node: ts.Statement): ts.Node | undefined {
  if (!ts.isBlock(node.parent)) return undefined
  const { statements } = node.parent
  return statements[statements.indexOf(node) + 1]
}

function single(statement: ts.Statement): ts.Statement {
  return ts.isBlock(statement) && statement.statements.length === 1 ? statement.statements[0]! : statement
}

const isRequiring = (node: ts.Expression) =>
  ts.isCallExpression(node) &&
  ts.isIdentifier(node.expression) &&
  /^(require|verify|assert)[A-Z]/.test(node.expression.text)
const isLogical = (node: ts.Expression) =>
  ts.isBinaryExpression(node) &&
  [ts.SyntaxKind.BarBarToken, ts.SyntaxKind.AmpersandAmpersandToken].includes(node.operatorToken.kind)

function nameOf(node: ts.Node): string | undefined {
  if (ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node)) return node.name?.getText()
  if (ts.isVariableDeclaration(node) && node.initializer && ts.isIdentifier(node.name)) {
    const { initializer, name } = node
    return ts.isArrowFunction(initializer) || ts.isArrayLiteralExpression(initializer) ? name.text : undefined
  }
  return undefined
}

const short = (text: string) => {
  const line = text.replace(/\s+/g, ' ')
  return line.length > 90 ? `${line.slice(0, 87)}…` : line
}
