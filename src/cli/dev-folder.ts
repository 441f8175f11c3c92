import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { EMBEDDED_FILES } from '../admin/embedded-files.ts';

/** What `sallyport dev` keeps, and leaves for the commands beside it. */
export const DEV_DATA_DIR = 'data';
export const DEV_CONFIG = join(DEV_DATA_DIR, 'dev.yaml');

/** Whether a registry is in the folder, with a configuration or without one. */
export function hasDevFolder(): boolean {
  return existsSync(DEV_CONFIG) || existsSync(join(DEV_DATA_DIR, EMBEDDED_FILES.registry));
}
