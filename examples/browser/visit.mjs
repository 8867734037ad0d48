#!/usr/bin/env node
// Visits the page as a person does, in a Chromium without a window, and ends when the page
// has sent its spans. The page's address is $OATS_APP_URL, or the first argument.
import puppeteer from 'puppeteer-core';

const address = process.argv[2] ?? process.env.OATS_APP_URL ?? 'http://127.0.0.1:8071';
const browser = await puppeteer.launch({
  executablePath: process.env.CHROME ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});
try {
  const page = await browser.newPage();
  await page.goto(address);
  // The request's span is the last to end. What the page still has when it closes is lost.
  const sent = page.waitForResponse((answer) =>
    answer.url().endsWith('/v1/traces') && answer.request().postData()?.includes('/customers'));
  await page.click('#load');
  await page.waitForSelector('#customers li');
  const answer = await sent;
  if (!answer.ok()) throw new Error(`the spans are answered with ${answer.status()}`);
} finally {
  await browser.close();
}
