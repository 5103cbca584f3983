/** The words around the messages in Llama 3.1 and later, as the models were trained on them. */

export const KNOWLEDGE = "Cutting Knowledge Date: December 2023\n";

export const USER_INTRODUCTION =
  "Given the following functions, please respond with a JSON for a function call " +
  "with its proper arguments that best answers the given prompt.\n\n";

export const SYSTEM_INTRODUCTION =
  "You have access to the following functions. " +
  "To call a function, please respond with JSON for a function call.";

/** The missing space behind the full stop is theirs. */
export const SHAPE =
  'Respond in the format {"name": function name, "parameters": dictionary of argument name and ' +
  "its value}.Do not use variables.\n\n";
