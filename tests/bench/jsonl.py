"""The JSONL of a job of 100,000 records, built and uploaded (jsonl_bench, with the service's own writer). Peer: the notebook's way: a list of
dicts, json.dumps of each, joined, one put_object."""

import itertools
import json
import time

import boto3
import botocore.config

from tests.bench.listing import keys

PROMPT = (
    "Summarize this video in two sentences. Name the people, the place and what happens; then give a title of at most eight words, "
    "and five keywords. Answer in plain English, without markup."
)


def notebook(emulator, count, key):
    client = boto3.client("s3", endpoint_url=emulator.url, config=botocore.config.Config(s3={"addressing_style": "path"}), **keys(emulator))
    start = time.monotonic()
    records = []
    for n in range(count):
        digits = f"{n:011d}"
        source = {"s3Location": {"uri": f"s3://bench-videos/staging/job/shard/v/{digits}.mp4", "bucketOwner": "111122223333"}}
        records.append(
            {
                "recordId": digits,
                "modelInput": {
                    "schemaVersion": "messages-v1",
                    "messages": [{"role": "user", "content": [{"video": {"format": "mp4", "source": source}}, {"text": PROMPT}]}],
                    "inferenceConfig": {"maxTokens": 500, "temperature": 0.3},
                },
            }
        )
    body = "\n".join(json.dumps(record) for record in records)
    client.put_object(Bucket="staging", Key=key, Body=body)
    return time.monotonic() - start


def run(bench):
    count = bench.size(100_000, 1000)
    emulator = bench.emulator("jsonl", buckets=("staging",))
    env = {**emulator.environment_for_tools, "PROMPT": PROMPT}
    got = []
    names = (f"{n}.jsonl" for n in itertools.count())  # a new object each time: removing an old one is the emulator's work

    def ours():
        got.append({"key": next(names)})
        got[-1].update(bench.tool("jsonl_bench", "staging", got[-1]["key"], str(count), env=env))
        return got[-1]

    took = bench.interleave(ours=ours, notebook=lambda: notebook(emulator, count, next(names)))
    lines = emulator.s3().get_object(Bucket="staging", Key=got[-1]["key"])["Body"].read().splitlines()
    assert len(lines) == count and json.loads(lines[-1])["modelInput"]["messages"][0]["content"][1]["text"] == PROMPT
    bench.at_least(
        f"build and upload JSONL of {count:,} records", took["notebook"] / took["ours"], 25,
        f"{count / took['ours']:,.0f} records/s, {got[-1]['bytes'] / 1e6:.0f} MB", f"json.dumps + put_object: {count / took['notebook']:,.0f} records/s",
    )
    bench.memory(f"JSONL of {count:,} records", max(one["peak_kib"] for one in got))
