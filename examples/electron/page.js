const form = document.querySelector("form");
const output = document.querySelector("pre");

window.addEventListener("message", ({ data, ports: [port] }) => {
  if (data !== "engine") return;

  port.onmessage = ({ data: message }) => {
    if (message.type === "text") output.textContent += message.text;
    else if (message.error) output.textContent += `\n${message.error}`;
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const prompt = form.elements.prompt.value;
    output.textContent = prompt;
    port.postMessage({ type: "generate", prompt });
  });

  form.elements.stop.addEventListener("click", () => port.postMessage({ type: "stop" }));
});
