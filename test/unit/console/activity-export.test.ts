import { expect, it } from 'vitest';
import { eventWriter } from '../../../src/audit/export/formats.ts';
import { writeLog } from '../../../src/console/pages/activity-export.ts';

const line = (n: number) =>
  JSON.stringify({ id: `r-${n}`, time: new Date(1_800_000_000_000 - n).toISOString() });
const page = (n: number) => ({ items: [line(2 * n), line(2 * n + 1)], next: String(n + 1) });

async function written(format: 'jsonl' | 'csv', most: number, pages: number): Promise<string> {
  let text = '';
  const write = async (piece: string) => {
    text += piece;
  };
  const out = { aborted: false, write };
  await writeLog(out, {
    writer: eventWriter(format, ''),
    isShown: () => true,
    first: page(0),
    further: async (cursor) => {
      const at = Number(cursor);
      return at < pages - 1 ? page(at) : { ...page(at), next: null };
    },
    most,
  });
  return text;
}

it('writes all pages, one behind the other', async () => {
  const lines = (await written('jsonl', 100, 3)).trimEnd().split('\n');
  expect(lines).toEqual([0, 1, 2, 3, 4, 5].map(line));
});

it('says in its last line that there is more, and how to go on so that nothing is missing', async () => {
  const lines = (await written('jsonl', 4, 3)).trimEnd().split('\n');
  expect(lines.slice(0, 4)).toEqual([0, 1, 2, 3].map(line));
  const last = JSON.parse(lines[4]!) as Record<string, string>;
  expect(last.reason).toBe('export-cut');
  const until = /"until" (\S+)$/.exec(last.line!)?.[1] ?? '';
  expect(Date.parse(until)).toBe(1_800_000_000_000 - 3 + 1);
  const rows = (await written('csv', 4, 3)).trimEnd().split('\r\n');
  expect(rows).toHaveLength(1 + 4 + 1);
  expect(rows.at(-1)).toContain('export-cut');
});

it('ends without a word for whoever has left, and with the fault for whoever has not', async () => {
  const out = { aborted: false, write: async () => {} };
  const log = (leaves: boolean) =>
    writeLog(out, {
      ...{ writer: eventWriter('jsonl', ''), isShown: () => true, first: page(0), most: 100 },
      further: async () => {
        out.aborted = leaves;
        throw new Error('the log could not be read to its end');
      },
    });
  await expect(log(false)).rejects.toThrow('could not be read');
  await expect(log(true)).resolves.toBeUndefined();
});
