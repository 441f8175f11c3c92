/** What the site is built with (see `generator.ts` beside this folder). */
export { default as Eleventy } from '@11ty/eleventy';
export { createConfig, lintFromString } from '@redocly/openapi-core';
export { default as markdownIt } from 'markdown-it';
