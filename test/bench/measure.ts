import { setTimeout as sleep } from 'node:timers/promises';
import { startClients } from './clients.ts';
import type { Load } from './loads.ts';
import type { RunningPeer } from './peers/peer.ts';
import { type ProcessorTime, processorTimeOf } from './processes.ts';
import type { Stage } from './stage.ts';

/** One round of one load on one target. */
export interface Round {
  readonly userUsPerRequest: number;
  readonly systemUsPerRequest: number;
  readonly requestsPerSecond: number;
  readonly errors: number;
}

export function cpuUsPerRequest(round: Round): number {
  return round.userUsPerRequest + round.systemUsPerRequest;
}

/** What clients saw at a moderate rate. */
export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
  /** Requests per second that were really made. */
  readonly rate: number;
}

/** Connections are made, handshakes done and code is warm before anything is counted. */
const SETTLE_MS = 300;
const LOOK_EVERY_MS = 50;
/**
 * When the timetable of a given rate begins (lua/wrk.lua): what the handshakes of all connections
 * at once take is no latency of requests.
 */
const CONNECT_MS = 1000;

/**
 * Runs the clients and looks at processor time and at the upstream's own count of requests at two
 * moments while they run: the handshakes of 64 connections, their ends, and the clients' start are
 * outside. `rate`: requests per second; 0 = as fast as it goes.
 */
export async function measureRound(
  stage: Stage,
  peer: RunningPeer,
  load: Load,
  rate: number,
  windowMs: number,
): Promise<Round> {
  await forgetRecords(stage);
  const clients = startClients(stage, peer, load, rate);
  await sleep(rate === 0 ? SETTLE_MS : CONNECT_MS + SETTLE_MS);
  const before = await look(stage, peer);
  await sleep(windowMs);
  const after = await look(stage, peer);
  const { errors } = await clients.stop();
  // Refused requests never reach the upstream's count.
  const requests = (after.requests - before.requests) / (1 - load.refusedOfTen / 10);
  return {
    userUsPerRequest: (after.cpu.userUs - before.cpu.userUs) / requests,
    systemUsPerRequest: (after.cpu.systemUs - before.cpu.systemUs) / requests,
    requestsPerSecond: (requests * 1000) / (after.atMs - before.atMs),
    errors,
  };
}

/** @param rate requests per second */
export async function measureLatency(
  stage: Stage,
  peer: RunningPeer,
  load: Load,
  rate: number,
  windowMs: number,
): Promise<Latency> {
  await forgetRecords(stage);
  const clients = startClients(stage, peer, load, rate);
  await sleep(CONNECT_MS);
  const startedMs = performance.now();
  await sleep(windowMs);
  const { p50Ms, p99Ms, errors, requests } = await clients.stop();
  return { p50Ms, p99Ms, errors, rate: (requests * 1000) / (performance.now() - startedMs) };
}

/**
 * Runs the clients until the upstream has seen so many requests, without measuring; not longer than
 * `longestMs`.
 */
export async function runUntil(
  stage: Stage,
  peer: RunningPeer,
  load: Load,
  requests: number,
  longestMs: number,
): Promise<void> {
  await forgetRecords(stage);
  const endMs = performance.now() + longestMs;
  const enough = (await stage.upstream.requests()) + requests;
  const clients = startClients(stage, peer, load, 0);
  while ((await stage.upstream.requests()) < enough && performance.now() < endMs)
    await sleep(LOOK_EVERY_MS);
  await clients.stop();
}

interface Look {
  readonly atMs: number;
  readonly requests: number;
  readonly cpu: ProcessorTime;
}

async function look(stage: Stage, peer: RunningPeer): Promise<Look> {
  const requests = (await stage.upstream.requests()) - 1; // this question is one of them
  return { atMs: performance.now(), requests, cpu: processorTimeOf(peer.pids) };
}

/**
 * Empties the streams, so that Redis does not grow by a gigabyte a minute. Numbers already given,
 * and the streams themselves, stay.
 */
async function forgetRecords(stage: Stage): Promise<void> {
  await stage.redis.pipeline(stage.streams.map((stream) => ['XTRIM', stream, 'MAXLEN', 0]));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
