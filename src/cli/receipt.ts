import { receiptLine } from '../admin/receipt-line.ts';
import type { Revocation } from '../registry/receipts/receipt.ts';
import { note } from './terminal.ts';

/** Says to a person where a change is in force. Nothing for changes that took nothing away. */
export function noteReceipt(revocation: Revocation | undefined): void {
  if (revocation !== undefined) note(receiptLine(revocation));
}
