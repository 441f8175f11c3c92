/**
 * What the sample service knows when it starts: three environments and five applications of an
 * invented insurer.
 */

export interface Environment {
  readonly Key: string;
  readonly Name: string;
  readonly OSVersion: string;
  readonly EnvironmentType: 'Development' | 'Non-Production' | 'Production';
  readonly NumberOfFrontEnds: number;
}

export interface Application {
  readonly Key: string;
  readonly Name: string;
  readonly Description: string;
  readonly Kind: 'Traditional Web' | 'Reactive Web' | 'Service';
}

export interface Version {
  readonly Key: string;
  readonly ApplicationKey: string;
  readonly Version: string;
  readonly ChangeLog: string;
  readonly CreatedOn: string;
  readonly CreatedBy: string;
}

export const ENVIRONMENTS: readonly Environment[] = [
  {
    Key: 'dev',
    Name: 'Development',
    OSVersion: '11.28.0',
    EnvironmentType: 'Development',
    NumberOfFrontEnds: 1,
  },
  {
    Key: 'test',
    Name: 'Test',
    OSVersion: '11.28.0',
    EnvironmentType: 'Non-Production',
    NumberOfFrontEnds: 2,
  },
  {
    Key: 'prod',
    Name: 'Production',
    OSVersion: '11.27.4',
    EnvironmentType: 'Production',
    NumberOfFrontEnds: 4,
  },
];

export const APPLICATIONS: readonly Application[] = [
  {
    Key: 'CRM',
    Name: 'Customer Desk',
    Description: 'Customers, contacts and their cases',
    Kind: 'Reactive Web',
  },
  {
    Key: 'Portal',
    Name: 'Customer Portal',
    Description: 'What policyholders see',
    Kind: 'Reactive Web',
  },
  { Key: 'Billing', Name: 'Billing', Description: 'Invoices and payments', Kind: 'Service' },
  {
    Key: 'Ledger',
    Name: 'Ledger',
    Description: 'Double-entry book of everything that was billed',
    Kind: 'Service',
  },
  {
    Key: 'Archive',
    Name: 'Document Archive',
    Description: 'Scanned letters, kept for ten years',
    Kind: 'Traditional Web',
  },
];

/** Three versions of each application, a week apart. */
export function seedVersions(nowMs: number): Version[] {
  const notes = [
    'First release of the quarter',
    'Fixes from the pilot group',
    'Ready for production',
  ];
  return APPLICATIONS.flatMap(({ Key }) =>
    notes.map((note, index) => ({
      Key: `${Key}-1.${index}.0`,
      ApplicationKey: Key,
      Version: `1.${index}.0`,
      ChangeLog: note,
      CreatedOn: new Date(nowMs - (notes.length - index) * 7 * 86_400_000).toISOString(),
      CreatedBy: 'release-team',
    })),
  );
}
