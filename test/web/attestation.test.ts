import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { isAttested } from '../../src/trust/attestation.ts'
import type { Passkey, Roster } from '../../src/trust/roster.ts'
import { cli } from '../support/installation.ts'
import { openBrowser, openTab, skip, type Tab } from './browser.ts'
import { chromiumPasskey } from './chromium.ts'
import { type Installation, provePapers, startInstallation } from './installation.ts'

/** A roster that accepts one maker's authenticators alone, from the first passkey on: Chromium's virtual one is such a maker. */
let installation: Installation
let browser: Browser
let tab: Tab
let joined = ''
const { aaguid, maker } = chromiumPasskey

before(async () => {
  if (skip) return
  installation = startInstallation()
  browser = await openBrowser()
  tab = await openTab(browser)
})
after(async () => {
  await browser?.close()
  await installation?.stop()
})

const press = (page: Page, name: string | RegExp) => page.getByRole('button', { name }).click()
const ask = async <T>(...line: string[]): Promise<T> =>
  JSON.parse(await cli([...line, '--home', installation.home, '--json'])) as T
const rosterNow = async () => (await ask<{ roster: Roster }>('roster', 'show')).roster

/** Proposes that the roster accept these alone, and approves it in the page. */
async function accept(authenticators: Roster['policy']['authenticators']) {
  const roster = await rosterNow()
  const file = join(installation.home, `version-${roster.version + 1}.json`)
  writeFileSync(file, JSON.stringify({ ...roster, policy: { ...roster.policy, authenticators } }))
  await ask('roster', 'propose', '--file', file)
  await tab.page.goto(`${(await installation.ready).app}/roster`)
  const proposed = tab.page.locator('.part', { hasText: 'authenticators:' })
  await proposed.getByRole('button', { name: 'Approve this version with your passkey' }).click()
  await tab.page.getByText(`Version ${roster.version + 1}`, { exact: true }).waitFor()
}

async function makeAt(page: Page) {
  await page.goto(`${(await installation.ready).app}/join`)
  await page.getByRole('textbox', { name: 'Your alias' }).fill('calm-otter')
  await page.getByText('Only authenticators that the roster lists are accepted here').waitFor()
  await press(page, 'Make a passkey')
}

test('the set-up page keeps the maker’s certificate with the first passkey, where that is asked for', {
  skip,
}, async () => {
  const { page } = tab
  await page.goto(await installation.setupLink)
  await page.getByRole('textbox', { name: 'Your alias' }).fill('ada')
  await page.getByText('Keep the maker’s certificate with it').click()
  await press(page, 'Make a passkey')
  await page.getByRole('heading', { level: 1, name: 'Your passkey is made' }).waitFor({ timeout: 90_000 })
  await installation.ready
  const [passkey] = (await rosterNow()).members[0]!.passkeys
  assert.equal(passkey!.aaguid, aaguid)
  assert.ok(isAttested(passkey!, [{ aaguid, roots: [maker] }]))
  await provePapers(page)
  await page.getByRole('link', { name: 'Go to the sign-in' }).click()
  await press(page, 'Sign in with your passkey')
  await page.getByRole('heading', { level: 1, name: 'Devices' }).waitFor()
})

test('where the roster lists a maker, a passkey that it attests is made, and can be proposed', { skip }, async () => {
  await accept([{ aaguid, roots: [maker] }])
  const joining = await openTab(browser)
  await makeAt(joining.page)
  joined = await joining.page.locator('pre').innerText()
  const part = JSON.parse(joined) as Passkey
  assert.equal(part.aaguid, aaguid)
  assert.ok(isAttested(part, [{ aaguid, roots: [maker] }]))
  const file = join(installation.home, 'calm-otter.public.json')
  writeFileSync(file, joined)
  await ask('roster', 'propose', '--add-member', `calm-otter=${file}`)
  writeFileSync(file, JSON.stringify({ ...part, attestation: undefined }))
  await assert.rejects(
    ask('roster', 'propose', '--add-member', `calm-otter=${file}`),
    /no authenticator that the roster/,
  )
  assert.deepEqual(joining.complaints, [])
  await joining.page.close()
})

test('where it lists another, the page says that this one would never count, and makes no public part', {
  skip,
}, async () => {
  await accept([{ aaguid: aaguid.replace('01', 'ff'), roots: [maker] }]) // attested itself, the owner's passkey still counted
  const joining = await openTab(browser)
  await makeAt(joining.page)
  await joining.page.getByText(`The roster does not accept this authenticator (${aaguid})`).waitFor()
  assert.equal(await joining.page.locator('pre').count(), 0)
  await joining.page.close()
})

test('the pages keep to their own policy', { skip }, () => assert.deepEqual(tab.complaints, []))
