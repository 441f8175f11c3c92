import { CSV_HEADER, csvRow } from './csv.ts';
import { ecsDocument } from './ecs.ts';
import { ocsfEvent } from './ocsf.ts';

/** In what form events leave the record. */
export const EXPORT_FORMATS = ['jsonl', 'csv', 'ocsf', 'ecs'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface EventWriter {
  /** What a file begins with. */
  readonly header: string;
  /** One event, with the end of its line. */
  readonly write: (line: string) => string;
}

/** @param version of Sallyport, which some formats name */
export function eventWriter(format: ExportFormat, version: string): EventWriter {
  switch (format) {
    case 'jsonl':
      return { header: '', write: (line) => `${line}\n` };
    case 'csv':
      return { header: CSV_HEADER, write: csvRow };
    case 'ocsf':
      return { header: '', write: (line) => `${JSON.stringify(ocsfEvent(line, version))}\n` };
    case 'ecs':
      return { header: '', write: (line) => `${JSON.stringify(ecsDocument(line, version))}\n` };
  }
}
