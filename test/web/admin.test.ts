import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { cli } from '../support/installation.ts'
import { openBrowser, openTab, skip, type Tab } from './browser.ts'
import { type Installation, type Phone, provePapers, startInstallation, startPhone } from './installation.ts'

/** One story, told in order: an operator's first hour with a real browser, a passkey, every compartment and a phone. */
let installation: Installation
let browser: Browser
let tab: Tab
let phone: Phone | undefined
let alias = ''
let paper = ''
let recovery: string[] = []

before(async () => {
  if (skip) return
  installation = startInstallation()
  browser = await openBrowser()
  tab = await openTab(browser)
})

after(async () => {
  await phone?.stop()
  await browser?.close()
  await installation?.stop()
})

const LONG = { timeout: 30_000 }
const press = (page: Page, name: string | RegExp) => page.getByRole('button', { name }).click()
const heading = (page: Page, name: string | RegExp, options = {}) =>
  page.getByRole('heading', { level: 1, name }).waitFor(options)

test('the first page makes a passkey, and the installation starts with it', { skip }, async () => {
  const { page } = tab
  await page.goto(await installation.setupLink)
  await heading(page, 'Set up Bulkhead')
  const inventory = page.getByRole('checkbox', { name: /standing inventory order/ })
  assert.equal(await inventory.isChecked(), false)
  await page.getByText('Approve a standing inventory order').click()
  await page.getByRole('textbox', { name: 'Your alias' }).fill('ada')
  await press(page, 'Make a passkey')
  await heading(page, 'Your passkey is made', { timeout: 90_000 })
  await installation.ready
  assert.equal(await page.getByRole('link', { name: 'Go to the sign-in' }).count(), 0)
  const { codes, shares } = await provePapers(page)
  assert.deepEqual([codes.length, shares.length], [8, 3])
  paper = codes[0]!
  recovery = shares
})

test('a member signs in with the passkey alone, and nothing of its PRF leaves the browser', { skip }, async () => {
  const { page } = tab
  const posted: string[] = []
  page.on('request', request => posted.push(request.postData() ?? ''))
  await page.getByRole('link', { name: 'Go to the sign-in' }).click()
  await press(page, 'Sign in with your passkey')
  await heading(page, 'Draft an order')
  assert.ok(posted.some(body => body.includes('authenticatorData')))
  // As a name: three letters in a row stand in random base64 by chance.
  assert.ok(!posted.some(body => /"(prf|clientExtensionResults)"/i.test(body)))
})

test('the first sign-in has sealed the directory’s key to the passkey, which opens it from then on', {
  skip,
}, async () => {
  const { page } = tab
  const home = page.url()
  await page.getByRole('link', { name: 'People', exact: true }).click()
  await page.getByRole('link', { name: 'Import a table' }).click()
  const file = join(installation.home, 'staff.csv')
  writeFileSync(file, 'givenName,familyName,email,mobile\nMarguerite,Oyelaran,mo@example.org,+32470121314\n')
  const chosen = page.waitForEvent('filechooser')
  await press(page, 'Choose a file …')
  await (await chosen).setFiles(file)
  await press(page, 'Seal and import them')
  await heading(page, 'They are in the directory')
  await page.goto(new URL('/people', page.url()).href) // which forgets the key
  await press(page, 'Unlock with your passkey')
  await press(page, 'Sign the grant with your passkey')
  await press(page, 'Show names on this page')
  await page.getByRole('row', { name: /Marguerite Oyelaran/ }).waitFor()
  await press(page, 'Lock now')
  await press(page, 'Open it with recovery shares …')
  for (const at of [0, 1]) await page.getByRole('textbox', { name: `Share ${at + 1} of 2` }).fill(recovery[2 * at]!)
  await press(page, 'Open it and seal it to my passkey')
  await page.getByText('root is unlocked').waitFor()
  await page.goto(home)
  await heading(page, 'Draft an order')
})

test('the standing inventory order of the set-up is seen before it is approved', { skip }, async () => {
  const { page } = tab
  await press(page, 'Draft it')
  await heading(page, 'Ask for device facts')
  await page.getByText('Every device, every day').waitFor()
  await press(page, 'Approve with your passkey')
  await page.getByText('Standing', { exact: true }).waitFor()
})

test('an empty device list says how a device enrols', { skip }, async () => {
  const { page } = tab
  await page.getByRole('link', { name: 'Devices', exact: true }).click()
  await heading(page, 'Devices')
  await page.getByText('No device has enrolled yet').waitFor()
})

test('an invitation is signed, and its link enrols a phone', { skip }, async () => {
  const { page } = tab
  await page.getByRole('link', { name: 'Make an invitation' }).click()
  await press(page, 'Approve it with your passkey')
  await page.getByRole('img', { name: 'QR code of the invitation’s link' }).waitFor()
  const url = await page.locator('.link-box').innerText()
  phone = await startPhone(`${url}/profile`)
})

test('the list shows the phone by its alias, and its page what the standing order asked', { skip }, async () => {
  const { page } = tab
  await page.getByRole('link', { name: 'Devices', exact: true }).click()
  const link = page.getByRole('table', { name: 'Devices' }).getByRole('link')
  await link.waitFor(LONG)
  alias = await link.innerText()
  assert.match(alias, /^([a-z]{4}-){2}[a-z]{4}$/)
  await page.getByRole('searchbox', { name: 'Search by alias' }).fill('nobody')
  await page.getByText('No device fits').waitFor()
  await page.getByRole('searchbox', { name: 'Search by alias' }).fill(alias.slice(0, 6))
  await link.click()
  await heading(page, alias)
  await page.getByText('System version', { exact: true }).waitFor(LONG)
})

test('an order that is approved reaches the phone, which acknowledges it', { skip }, async () => {
  const { page } = tab
  await page.getByRole('link', { name: 'New order for this device' }).click()
  await page.getByText('Ask for security state').click()
  await page.getByRole('textbox', { name: 'Reason' }).fill('A check')
  await press(page, 'Draft it')
  await heading(page, 'Ask for security state')
  const gate = page.getByRole('region', { name: 'Approve' })
  await gate.getByText('1 device', { exact: true }).waitFor()
  await page.getByText(alias).first().waitFor()
  await press(page, 'Approve with your passkey')
  await page.getByRole('table', { name: 'Devices of this order' }).getByText('Done').waitFor(LONG)
})

test('an order that can destroy is refused while there is one member, with what to do', { skip }, async () => {
  const { page } = tab
  await page.goto(`${(await installation.ready).app}/orders/new`)
  await page.getByText('Turn Lost Mode on').click()
  await page.getByRole('textbox', { name: /Message on the screen/ }).fill('Please bring it back')
  await page.getByText(alias, { exact: true }).click()
  await page.getByRole('textbox', { name: 'Reason' }).fill('It was left on a train')
  await press(page, 'Draft it')
  await page.getByText('takes 2 approvals, and the roster has 1 member who may give one').waitFor()
  await page.getByText(/bulkhead roster propose --add-member/).waitFor()
})

test('a paper code of the set-up page freezes, every page says so, and the owner ends it', { skip }, async () => {
  const { page } = tab
  await cli(['freeze', '--code', paper, '--home', installation.home])
  await page
    .getByText(/^Frozen since .*, by a paper code/)
    .first()
    .waitFor()
  await page.getByRole('link', { name: 'How to end it' }).click()
  await heading(page, 'Roster')
  await press(page, 'Agree to the thaw with your passkey')
  await page.getByRole('button', { name: 'Freeze everything with your passkey' }).waitFor()
  assert.equal(await page.getByText(/^Frozen since/).count(), 0)
})

test('somebody who wants to become a member makes a passkey, whose public part is all that leaves', {
  skip,
}, async () => {
  const { page } = tab
  const { app } = await installation.ready
  const joining = await openTab(browser)
  const posted: string[] = []
  joining.page.on('request', request => posted.push(`${request.method()} ${request.url()}`))
  await joining.page.goto(`${app}/join`)
  await joining.page.getByRole('textbox', { name: 'Your alias' }).fill('calm-otter')
  await joining.page.getByRole('button', { name: 'Make a passkey' }).click()
  const text = await joining.page.locator('pre').innerText()
  assert.deepEqual(Object.keys(JSON.parse(text)).sort(), ['algorithm', 'alias', 'id', 'publicKey', 'software'])
  assert.ok(posted.every(line => line.startsWith('GET ')))
  assert.deepEqual(joining.complaints, [])
  await joining.page.close()

  const file = join(installation.home, 'calm-otter.public.json')
  writeFileSync(file, text)
  await cli(['roster', 'propose', '--add-member', `calm-otter=${file}`, '--home', installation.home])
  await page.goto(`${app}/roster`)
  await page.getByText('calm-otter becomes a member (operator, approver)').waitFor()
  await press(page, 'Approve this version with your passkey')
  const members = page.getByRole('row', { name: /calm-otter/ })
  await members.getByText(/counts from/).waitFor()
})

test('a console that shows one order and has another signed is caught before the gesture', { skip }, async () => {
  const { page } = tab
  await page.goto(`${(await installation.ready).app}/orders/new`)
  await page.getByText('List profiles').click()
  await page.getByText('All enrolled devices').click()
  await page.getByRole('textbox', { name: 'Reason' }).fill('A check')
  await page.route('**/api/orders/*', async route => {
    const answer = await route.fetch()
    const order = await answer.json()
    await route.fulfill({ json: { ...order, devices: [] } })
  })
  await press(page, 'Draft it')
  await page.getByText('the statement is for another number of devices').waitFor()
  assert.equal(await page.getByRole('button', { name: 'Approve with your passkey' }).count(), 0)
  await page.unroute('**/api/orders/*')
})

test('the pages keep to their own policy', { skip }, () => {
  assert.deepEqual(tab.complaints, [])
})

test('another genesis at the same address is refused loudly', { skip }, async () => {
  const { page } = tab
  await page.route('**/api/roster', async route => {
    const answer = await route.fetch()
    const roster = await answer.json()
    await route.fulfill({ json: { ...roster, genesis: roster.genesis.replace('"alias":"ada"', '"alias":"eve"') } })
  })
  await page.reload()
  await heading(page, 'Stop: this is another installation')
  await page.unroute('**/api/roster')
})
