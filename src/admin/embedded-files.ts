/** What an embedded store keeps in its data folder. */
export const EMBEDDED_FILES = {
  registry: 'registry.db',
  audit: 'audit.db',
  sessions: 'sessions.db',
  stats: 'stats.db',
  tries: 'tries.db',
  webhooks: 'webhooks.db',
  usage: 'usage.db',
} as const;
