// The page of the server: who serves the same page with another transport has another file in this place.
import { HttpTransport, startPage } from "./chat-page.js";

startPage(new HttpTransport());
