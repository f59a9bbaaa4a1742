import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { loadPasskey } from '../../src/cli/passkey.ts'
import { canonical } from '../../src/trust/canonical.ts'
import { type Installation, startInstallation, until } from '../support/installation.ts'
import { openBrowser, openTab, skip, type Tab } from './browser.ts'

/** A console that lies about the roster and the ledger: the page finds out by itself, stops, and signs nothing. */
let installation: Installation
let browser: Browser
let tab: Tab
const posted: string[] = []

before(async () => {
  if (skip) return
  installation = await startInstallation()
  browser = await openBrowser()
  tab = await openTab(browser)
  tab.page.on('request', request => request.method() === 'POST' && posted.push(request.url()))
  await signIn(tab.page)
})
after(async () => {
  await browser?.close()
  await installation?.stop()
})

async function signIn(page: Page) {
  const { alias, credentialId, privateKey } = loadPasskey(installation.passkeys[0]!)
  const key = Buffer.from(privateKey.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64').toString('base64url')
  await page.goto(`${installation.urls.app}/sign-in#passkey=${alias}.${credentialId}.${key}`)
  await page.getByRole('button', { name: `Sign in as ${alias}` }).click()
  await page.getByRole('heading', { level: 1, name: 'Devices' }).waitFor()
}

type Shown = { checkpoint: string; entries: string[] }
/** From now on the console shows something else in the place of the control log, or of the main one. */
const lie = <T>(log: 'control' | 'main', change: (truth: T) => T | Promise<T>) =>
  tab.page.route(`**/api/${log}?*`, async route =>
    route.fulfill({ json: await change((await (await route.fetch()).json()) as T) }),
  )
const honest = () => tab.page.unrouteAll({ behavior: 'wait' })

const stopped = () => tab.page.getByRole('heading', { level: 1, name: 'Stop: this ledger cannot be believed' })
const remembered = () =>
  tab.page.evaluate(() => JSON.parse(localStorage.getItem('bulkhead.ledger') ?? '{}')) as Promise<{
    control: { size: number; root: string }
    main: { size: number; root: string }
  }>

/** It says why, shows nothing else, and neither a click nor a reload leads on while the lie goes on. */
async function isStopped(why: RegExp) {
  const { page } = tab
  await stopped().waitFor()
  await page.getByText(why).first().waitFor()
  await page.getByText('Nothing can be approved from it').waitFor()
  assert.equal(await page.getByRole('button', { name: /passkey|Sign in|Approve/ }).count(), 0)
  assert.equal(await page.getByRole('navigation').count(), 0)
  const before = posted.length
  await page.goto(`${installation.urls.app}/roster`)
  await stopped().waitFor()
  assert.equal(posted.length, before)
}
async function goesOn() {
  await honest()
  await tab.page.getByRole('button', { name: 'Look again' }).click()
  await tab.page.getByRole('heading', { level: 1, name: 'Roster' }).waitFor()
}

test('an honest console is believed, and the browser remembers how far both logs had come', { skip }, async () => {
  await tab.page.goto(`${installation.urls.app}/roster`)
  await tab.page.getByText('Checked in this browser').waitFor()
  const { control, main } = await remembered()
  assert.ok(control.size >= 1 && main.size >= 0)
  assert.match(control.root, /^[0-9a-f]{64}$/)
})

test('a version of the roster that its owners did not approve stops the page, while somebody looks at it', {
  skip,
}, async () => {
  const { genesis } = (await (await fetch(`${installation.urls.app}/api/roster`)).json()) as { genesis: string }
  const eve = JSON.parse(genesis) as { members: { alias: string; id: string; passkeys: { id: string }[] }[] }
  eve.members[1]!.alias = 'eve'
  const entry = canonical({ type: 'roster', unique: 'roster:1', version: 1, statement: canonical(eve), approvals: [] })
  await lie<Shown>('control', page => ({ ...page, entries: [...page.entries, entry] }))
  await isStopped(/more entries than the checkpoint covers|not those of its checkpoint/)
  assert.equal(await tab.page.getByText('eve', { exact: true }).count(), 0)
  await goesOn()
})

test('a control log rolled back to before a freeze stops the page, and cannot hide the freeze', { skip }, async () => {
  const ask = async () => (await (await fetch(`${installation.urls.app}/api/control`)).json()) as Shown
  const old = await ask()
  await installation.cli('freeze', '--passkey', installation.passkeys[1]!)
  await tab.page
    .getByText(/^Frozen since/)
    .first()
    .waitFor()
  await until(async () => (await remembered()).control.size > old.entries.length)
  await tab.page.route('**/api/control?*', route => {
    const from = Number(new URL(route.request().url()).searchParams.get('from'))
    return route.fulfill({ json: { checkpoint: old.checkpoint, entries: old.entries.slice(from) } })
  })
  await isStopped(/control log is shorter than it was|more entries than the checkpoint covers/)
  await goesOn()
  await tab.page
    .getByText(/^Frozen since/)
    .first()
    .waitFor()
})

test('a main log that does not go on from where it was stops the page', { skip }, async () => {
  await tab.page.evaluate(() => {
    const kept = JSON.parse(localStorage.getItem('bulkhead.ledger')!)
    // As if this browser had seen the same number of other entries.
    localStorage.setItem('bulkhead.ledger', JSON.stringify({ ...kept, main: { size: 1, root: '0'.repeat(64) } }))
  })
  await isStopped(/main log is (another|shorter)/)
  const { main } = await remembered()
  assert.deepEqual(main, { size: 1, root: '0'.repeat(64) }) // what was shown is not learnt
  await tab.page.getByText(`main: 1 entries, root ${'0'.repeat(64)}`).waitFor()
  await tab.page.getByRole('button', { name: /restored on purpose/ }).click()
  await tab.page.getByRole('heading', { level: 1, name: 'Roster' }).waitFor()
})

test('a gesture that was begun before the page stopped leads to nothing', { skip }, async () => {
  const { page } = tab
  await page.goto(`${installation.urls.app}/roster`)
  const agree = page.getByRole('button', { name: 'Agree to the thaw with your passkey' })
  await agree.waitFor()
  await page.evaluate(() => {
    const sign = crypto.subtle.sign.bind(crypto.subtle)
    crypto.subtle.sign = async (...given) => {
      localStorage.setItem('gesture', 'asked')
      while (localStorage.getItem('gesture') === 'asked') await new Promise(settle => setTimeout(settle, 20))
      return sign(...given)
    }
  })
  await agree.click()
  await page.waitForFunction(() => localStorage.getItem('gesture') === 'asked')
  const before = posted.length
  await lie<{ checkpoint: string; proof: string[] }>('main', head => ({
    ...head,
    checkpoint: head.checkpoint.replace(/\n\d+\n/, '\n1000000\n'),
  }))
  await stopped().waitFor()
  await page.evaluate(() => localStorage.setItem('gesture', 'made'))
  await page.waitForTimeout(500) // for a request that must not come
  assert.equal(posted.length, before)
  await isStopped(/signature of .* does not hold/)
  await goesOn()
})

test('a stopped sign-in page offers no sign-in, and a console of another installation is none', { skip }, async () => {
  const { page } = tab
  await page.evaluate(() => sessionStorage.clear())
  await lie<Shown>('control', ({ checkpoint, entries }) => ({ checkpoint, entries: entries.slice(1) }))
  await page.goto(`${installation.urls.app}/sign-in`)
  await stopped().waitFor()
  assert.equal(await page.getByRole('button', { name: /Sign in/ }).count(), 0)
  await honest()
  await page.evaluate(() => localStorage.clear()) // a browser that was never here
  await page.route('**/api/roster', async route => {
    const roster = await (await route.fetch()).json()
    await route.fulfill({ json: { ...roster, genesis: roster.genesis.replace('test-owner', 'eve') } })
  })
  await page.goto(`${installation.urls.app}/sign-in`)
  await page.getByRole('heading', { level: 1, name: 'Stop: this is another installation' }).waitFor()
  assert.equal(await page.getByRole('button', { name: /forget/ }).count(), 0)
})

test('the pages keep to their own policy', { skip }, () => assert.deepEqual(tab.complaints, []))
