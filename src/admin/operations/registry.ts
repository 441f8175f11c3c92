import * as keeper from '../registry-keeper.ts';
import * as inputs from '../schemas/inputs.ts';
import { row } from './row.ts';

/**
 * What is done to a registry as a whole: acts of an operator beside the data folder, which no door
 * over the network has.
 */
export const REGISTRY = {
  registryIdentify: row({ needs: 'store-owner', input: {}, run: keeper.identifyRegistry }),
  registryInit: row({
    needs: 'store-owner',
    input: {},
    run: keeper.makeRegistry,
    records: ['registry-made'],
  }),
  registryAdopt: row({
    needs: 'store-owner',
    input: inputs.REGISTRY,
    run: keeper.adoptRegistry,
    records: ['registry-adopted'],
  }),
  registryVerify: row({
    needs: 'store-owner',
    input: {},
    run: keeper.verifyWhole,
    isLong: true,
  }),
} as const;
