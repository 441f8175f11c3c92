/** `{{` and `{%` are no commands in our documents: what is not set in code (build.ts) is set here. */
export const config = { markdownTemplateEngine: false, htmlTemplateEngine: false };
