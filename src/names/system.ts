import { systemClock } from '../clock.ts';
import { Resolver } from './resolver.ts';

/**
 * The names of this machine: one for the process, so that what one connection has learned serves
 * the others. Holds no socket and no timer while nobody asks or watches.
 */
export const systemNames = new Resolver({ clock: systemClock });
