"""The script that ingest is measured against: reads the output line by line and copies rows. Prints its seconds."""

import json
import sys
import time

import boto3
import botocore.config
import psycopg

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
COLUMNS = "record_id, job_id, shard_id, video_id, created_at, state, ingest_round, input_tokens, output_tokens, text_altered, stop_reason, text"


def number(digits):
    value = 0
    for digit in digits:
        value = value * 62 + DIGITS.index(digit)
    return value


def rows(s3, records):
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="output", Prefix="bench/"):
        for item in page.get("Contents", []):
            if not item["Key"].endswith(".jsonl.out"):
                continue
            for line in s3.get_object(Bucket="output", Key=item["Key"])["Body"].iter_lines():
                answer = json.loads(line)
                record_id = number(answer["recordId"])
                job_id, shard_id, video_id = records[record_id]
                output = answer["modelOutput"]
                text = "".join(block.get("text", "") for block in output["output"]["message"]["content"])
                usage = output["usage"]
                yield (record_id, job_id, shard_id, video_id, "now", "succeeded", 1, usage["inputTokens"], usage["outputTokens"], False,
                       output["stopReason"], text)


def main():
    s3 = boto3.client("s3", endpoint_url=sys.argv[1], config=botocore.config.Config(s3={"addressing_style": "path"}))
    start = time.monotonic()
    with psycopg.connect(sys.argv[2]) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id, job_id, shard_id, video_id FROM record")
        records = {row[0]: row[1:] for row in cursor.fetchall()}
        with cursor.copy(f"COPY summary ({COLUMNS}) FROM STDIN") as copy:
            for row in rows(s3, records):
                copy.write_row(row)
    print(time.monotonic() - start)


main()
