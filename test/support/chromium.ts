import { type Browser, chromium } from 'playwright-core';
import { findProgram } from './system.ts';

/**
 * Debian's Chromium, without a window. Nothing is downloaded, and it talks to nobody but the page's
 * own server.
 */
export async function startChromium(): Promise<Browser> {
  const executablePath = findProgram('chromium');
  if (executablePath === null) throw new Error('chromium is not installed');
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
