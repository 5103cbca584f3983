/** In a file of its own, since the command line checks flags without loading samplers and grammars. */
export const TEMPERATURE_MAX = 1000;
