import type { Command } from 'commander';
import type { CommonOptions } from './options.ts';
import type { Format } from './output/format.ts';
import { printAs } from './output/printing.ts';
import { actOn } from './place/acted-on.ts';
import { placeOf, placeWords } from './place/place.ts';

/**
 * Before a command runs: in which form it prints, and where it acts. Further down `json` stands for
 * every form that is made of the whole result.
 */
export function prepare(command: Command): void {
  const options = command.opts<CommonOptions>();
  const format = formatOf(options);
  printAs(command, format);
  if (format !== null && format.kind !== 'wide')
    command.setOptionValue(format.kind === 'csv' ? 'csv' : 'json', true);
  const isPlaced = command.options.some((option) => option.attributeName() === 'context');
  actOn(() => (isPlaced ? placeWords(placeOf(options)) : null));
}

function formatOf({ output, json }: CommonOptions): Format | null {
  return output ?? (json === true ? { kind: 'json' } : null);
}
