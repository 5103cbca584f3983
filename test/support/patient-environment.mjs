// Jest's Node environment with more time for each test, as the builds under sanitizers need it:
// CRIA_TEST_PATIENCE times what the test asks for. What the children may take grows in child.ts.
import { TestEnvironment } from "jest-environment-node";

const patience = Number(process.env.CRIA_TEST_PATIENCE);

export default class PatientEnvironment extends TestEnvironment {
  handleTestEvent(event, state) {
    if (event.name !== "test_start") return;
    event.test.timeout = (event.test.timeout ?? state.testTimeout) * patience;
  }
}
