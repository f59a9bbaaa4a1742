import assert from 'node:assert/strict'
import { test } from 'node:test'
import { family, findCommand, flag, list, needed, parseCommand, takeHome, text, whole } from './args.ts'
import { commands } from './commands.ts'
import { helpOf, overview } from './help.ts'
import { nearest } from './likely.ts'

const refused = (words: RegExp) => (error: unknown) => {
  const { code, message, remedy } = error as { code: string; message: string; remedy: string }
  assert.equal(code, 'USAGE')
  assert.match(`${message} ${remedy}`, words)
  return true
}
const names = Object.keys(commands)
const parse = (line: string) => {
  const { home, rest } = takeHome(line.split(' '))
  const { name, rest: options } = findCommand(names, rest)
  return parseCommand(name, commands[name]!, options, home)
}

test('--home is taken from anywhere on the line', () => {
  for (const line of [
    '--home /x order show o1',
    'order --home /x show o1',
    'order show o1 --home=/x',
    'order show --home /x o1 --json',
  ]) {
    const args = parse(line)
    assert.equal(args.home, '/x')
    assert.equal(args.command, 'order show')
    assert.deepEqual(args.words, ['o1'])
  }
})

test('options arrive as written: text, lists, flags and numbers', () => {
  const args = parse('order create --action DeviceLock --device a --device b --set PIN=123456 --reason lost --json')
  assert.equal(text(args, 'action'), 'DeviceLock')
  assert.deepEqual(list(args, 'device'), ['a', 'b'])
  assert.equal(flag(args, 'json'), true)
  assert.equal(whole(parse('up --edge-port 0'), 'edge-port', 0, 65535), 0)
})

test('an unknown option or command names the nearest', () => {
  assert.throws(() => parse('up --edge-prot 1'), refused(/--edge-port/))
  assert.throws(() => parse('ordr list'), refused(/order list/))
  assert.throws(() => parse('order'), refused(/order approve/))
  assert.throws(
    () => parse('device lst'),
    refused(/There is no command "device lst"\. Did you mean "bulkhead device list"\?/),
  )
})

test('where nothing is near, nothing is suggested', () => {
  for (const line of ['foo', 'order frobnicate', 'push csr --organisation x'])
    assert.throws(
      () => parse(line),
      (error: Error & { remedy: string }) => !/Did you mean/.test(error.remedy),
    )
})

test('the first word of several commands asks for help about all of them', () => {
  assert.deepEqual(
    family(names, ['invite', '--help']),
    names.filter(name => name.startsWith('invite ')),
  )
  assert.ok(family(names, ['push', '-h']).includes('push csr'))
  for (const words of [['up', '--help'], ['push', 'csr', '--help'], ['foo', '--help'], ['--help']])
    assert.deepEqual(family(names, words), [])
})

test('a word too few or too many is named', () => {
  assert.throws(() => parse('group add --passkey f'), refused(/needs GROUP DEVICE …\./))
  assert.throws(() => parse('order show one two'), refused(/"two"/))
  assert.throws(() => needed(parse('group create kiosks'), 'passkey'), refused(/software passkey.*in the app/))
})

test('a number out of its bounds and a missing word are refused', () => {
  assert.throws(() => whole(parse('up --edge-port 70000'), 'edge-port', 0, 65535), refused(/65535/))
  assert.throws(() => whole(parse('up --edge-port 1e3'), 'edge-port', 0, 65535), refused(/whole number/))
  assert.throws(() => parse('order show'), refused(/ORDER/))
  assert.throws(() => takeHome(['up', '--home']), refused(/--home DIR/))
})

test('a value may be missing at the end of the line, and that is an error of usage', () => {
  assert.throws(() => parse('up --public-url'), refused(/help/))
})

test('every command teaches: one paragraph and an example that parses', () => {
  for (const [name, command] of Object.entries(commands)) {
    const help = helpOf(name, command)
    assert.match(help, /usage: bulkhead/)
    assert.ok(command.about.length > 20, name)
    if (name !== 'run')
      assert.equal(parse(command.example.replace(/^bulkhead /, '').replace(/"[^"]*"/g, 'words')).command, name)
    assert.ok(overview(commands).includes(command.summary))
  }
})

test('the nearest word is the one with the fewest letters to change', () => {
  assert.equal(nearest('reson', ['json', 'reason', 'device']), 'reason')
})
