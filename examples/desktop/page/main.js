// cria's own chat page (/page/chat-page.js), with the engine at the other end of a port.

import { startPage } from "./chat-page.js";
import { EngineTransport } from "./engine-transport.js";

startPage(new EngineTransport());
