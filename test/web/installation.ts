import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Page } from 'playwright-core'

const root = resolve(import.meta.dirname, '../..')
const bulkhead = join(root, 'bin/bulkhead')
const READY_MS = 120_000

export type Urls = { edge: string; console: string; app: string; ledger: string }
export type Installation = {
  home: string
  /** The set-up link, once it is printed. */
  setupLink: Promise<string>
  /** The URLs, once everything serves. */
  ready: Promise<Urls>
  stop(): Promise<void>
}

/** `bulkhead up` in a home of its own that was never initialised. */
export function startInstallation(): Installation {
  const home = mkdtempSync(join(tmpdir(), 'bulkhead-web-'))
  chmodSync(home, 0o755) // compartments run as users of their own
  const child = spawn(bulkhead, ['up', '--home', home], { stdio: ['ignore', 'pipe', 'pipe'] })
  const setupLink = found(child, 'stderr', /http:\/\/localhost:\d+\/setup#\w+/).then(([link]) => link)
  const ready = found(child, 'stdout', /\{.*"app".*\}/).then(([line]) => JSON.parse(line) as Urls)
  ready.catch(() => {}) // whoever waits for it is told
  return {
    home,
    setupLink,
    ready,
    async stop() {
      await ended(child)
      rmSync(home, { recursive: true, force: true })
    },
  }
}

/** Types back the group of a recovery share that the set-up page asks for, as from paper; what was printed. */
export async function provePapers(page: Page): Promise<{ codes: string[]; shares: string[] }> {
  const codes = await page
    .getByRole('region', { name: 'Paper codes that stop everything' })
    .locator('li')
    .allInnerTexts()
  const shares = await page
    .getByRole('region', { name: 'Recovery shares of the directory' })
    .locator('pre')
    .allInnerTexts()
  const press = (name: string) => page.getByRole('button', { name }).click()
  await press('I have printed them')
  assert.equal(await page.getByText(shares[0]!.slice(-20)).count(), 0)
  const asked = page.getByRole('textbox', { name: /^From the paper/ })
  const label = await page.getByText(/^From the paper/).innerText()
  const [share, line, group] = label.match(/\d+/g)!.map(Number)
  const lines = shares[share! - 1]!.split('\n').filter(one => one.startsWith('>'))
  await asked.fill('0000')
  await press('Go on')
  await page.getByText('That is not what stands there.').waitFor()
  await asked.fill(lines[line! - 1]!.slice(2).split('-')[group! - 1]!.toLowerCase())
  await press('Go on')
  await page.getByRole('link', { name: 'Go to the sign-in' }).waitFor()
  return { codes, shares }
}

export type Phone = { stop(): Promise<void> }

/** A simulated phone in its own process: it enrols by the link and then comes every few seconds. */
export async function startPhone(profileUrl: string): Promise<Phone> {
  const line = ['run', join(root, 'simulator/main.ts'), 'iphone', '--url', profileUrl, '--supervised']
  const child = spawn(bulkhead, line, { stdio: ['ignore', 'pipe', 'pipe'] })
  await found(child, 'stdout', /Enrolled in/)
  return { stop: () => ended(child) }
}

function found(child: ChildProcess, stream: 'stdout' | 'stderr', pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((settle, fail) => {
    let text = ''
    let errors = ''
    const timer = setTimeout(() => fail(new Error(`Not seen: ${pattern}. ${errors.slice(-2000)}`)), READY_MS)
    child.stderr?.on('data', chunk => {
      errors += chunk
    })
    child[stream]?.on('data', chunk => {
      text += chunk
      const match = pattern.exec(text)
      if (!match) return
      clearTimeout(timer)
      settle(match)
    })
    child.once('exit', code => {
      clearTimeout(timer)
      fail(new Error(`It ended with ${code}: ${errors.slice(-2000)}`))
    })
  })
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
  await exit
  clearTimeout(timer)
}
