import { exportRecords } from '../export.ts';
import { findRevived } from '../find-revived.ts';
import { importRecord } from '../import.ts';
import { importRecords } from '../import-many.ts';
import * as inputs from '../schemas/inputs.ts';
import { row } from './row.ts';

/** The registry out of one store and into another: for who has the rights of the store alone. */

const IMPORTED = ['registry-imported', 'account-revived', 'role-revived', 'team-revived'] as const;

export const TRANSFER = {
  exportRecords: row({ needs: 'store-owner', input: inputs.EXPORT, run: exportRecords }),
  findRevived: row({ needs: 'store-owner', input: inputs.FIND_REVIVED, run: findRevived }),
  importRecord: row({
    needs: 'store-owner',
    input: inputs.IMPORT_ONE,
    run: importRecord,
    records: IMPORTED,
  }),
  importRecords: row({
    needs: 'store-owner',
    input: inputs.IMPORT_MANY,
    run: importRecords,
    records: IMPORTED,
  }),
} as const;
