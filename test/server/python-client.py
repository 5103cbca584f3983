# What python-client.test.ts asks of a server by OpenAI's package for Python: argv has the server's address.
import io
import json
import sys
import time

from openai import OpenAI

client = OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)
messages = [{"role": "user", "content": "What is a baby llama called?"}]
asked = {"model": "demo", "messages": messages, "temperature": 0}
whole = client.chat.completions.create(**asked)
pieces = client.chat.completions.create(**asked, stream=True)
streamed = "".join(piece.choices[0].delta.content or "" for piece in pieces)
completion = client.completions.create(model="demo", prompt="Once", max_tokens=2, echo=True)
embedded = client.embeddings.create(model="demo", input=["a llama", "an alpaca"])

line = {"custom_id": "one", "method": "POST", "url": "/v1/chat/completions", "body": asked}
file = client.files.create(file=("in.jsonl", io.BytesIO(json.dumps(line).encode())), purpose="batch")
batch = client.batches.create(
    input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
)
while batch.status not in ("completed", "failed", "cancelled"):
    time.sleep(0.05)
    batch = client.batches.retrieve(batch.id)
result = json.loads(client.files.content(batch.output_file_id).text)
client.files.delete(file.id)

print(
    json.dumps(
        {
            "whole": whole.choices[0].message.content,
            "streamed": streamed,
            "echo": completion.choices[0].text[:4],
            "vectors": [len(one.embedding) for one in embedded.data],
            "batch": batch.status,
            "counts": batch.request_counts.model_dump(),
            "result": result["response"]["body"]["choices"][0]["message"]["content"],
            "files": [one.purpose for one in client.files.list()],
        }
    )
)
