import { receiptLine } from '../../admin/receipt-line.ts';
import type { Revocation } from '../../registry/receipts/receipt.ts';
import { type Html, html } from '../html.ts';
import { notice } from './parts.ts';

/** What was done, and where it is in force by now. */
export function receiptNotice(words: string, revocation: Revocation | undefined): Html {
  if (revocation === undefined) return notice('good', html`<p>${words}</p>`);
  return notice(
    revocation.effective ? 'good' : 'warn',
    html`<p><strong>${words}</strong></p><p>${receiptLine(revocation)}</p>`,
  );
}
