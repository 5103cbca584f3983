/** What is wrong with what was asked for: told in one line, without a stack. */
export class ProblemError extends Error {
  /** What the process ends with: 2 where the command was wrong, 1 where something is in the way. */
  status;

  constructor(message, status = 1) {
    super(message);
    this.status = status;
  }
}
