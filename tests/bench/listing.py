"""Listing a prefix of 1,000,000 keys with the S3 layer alone (list_bench). Peers: boto3's paginator, as a notebook uses it, over the first fifth
of the keys (only its rate counts); list_bare, the same pages with nothing but libcurl and Expat on one connection. Then 50 ms of latency before
each page, on 32 connections and on one."""

import time

import boto3
import botocore.config

CONNECTIONS, LATENCY_MS = "32", "50"


def paginate(emulator, count):
    """Seconds that boto3's paginator takes for the keys of a bucket."""
    client = boto3.client("s3", endpoint_url=emulator.url, config=botocore.config.Config(s3={"addressing_style": "path"}), **keys(emulator))
    start = time.monotonic()
    found = []
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="fifth", Prefix="v/"):
        for item in page.get("Contents", []):
            found.append(item["Key"])
    seconds = time.monotonic() - start
    assert len(found) == count, f"boto3 found {len(found)} of {count} keys"
    return seconds


def keys(emulator):
    env = emulator.environment()
    return {"region_name": env["AWS_REGION"], "aws_access_key_id": env["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": env["AWS_SECRET_ACCESS_KEY"]}


def run(bench):
    count, fifth = bench.size(1_000_000, 1000), bench.size(200_000, 1000)
    buckets = ["--synthetic", f"bucket=million,count={count},prefix=v/", "--synthetic", f"bucket=fifth,count={fifth},prefix=v/"]
    emulator = bench.emulator("listing", *buckets)
    env = emulator.environment_for_tools
    peaks = []

    def list_with(tool, *more, env=env):
        got = bench.tool(tool, "million", "v/", *more, env=env)
        assert got["count"] == count, f"{tool} found {got['count']} of {count} keys"
        if tool == "list_bench":
            peaks.append(got["peak_kib"])
        return got

    took = bench.interleave(
        ours=lambda: list_with("list_bench", CONNECTIONS), bare=lambda: list_with("list_bare"), boto3=lambda: paginate(emulator, fifth)
    )
    rates = {"ours": count / took["ours"], "bare": count / took["bare"], "boto3": fifth / took["boto3"]}
    ours = f"{rates['ours']:,.0f} keys/s"
    bench.at_least(f"list {count:,} keys", rates["ours"] / rates["boto3"], 40, ours, f"boto3 paginator: {rates['boto3']:,.0f} keys/s")
    bare = f"libcurl + Expat, one connection: {rates['bare']:,.0f} keys/s"
    bench.at_most(f"list {count:,} keys, wall time", took["ours"] / took["bare"], 1.3, ours, bare)

    slow = bench.emulator("listing-slow", *buckets, "--latency-ms", LATENCY_MS)
    far = slow.environment_for_tools
    took = bench.interleave(many=lambda: list_with("list_bench", CONNECTIONS, env=far), one=lambda: list_with("list_bench", "1", env=far))
    bench.at_least(
        f"list with {LATENCY_MS} ms before each page", took["one"] / took["many"], 20,
        f"{CONNECTIONS} connections: {took['many']:.2f} s", f"one connection: {took['one']:.2f} s",
    )
    bench.memory(f"listing of {count:,} keys on {CONNECTIONS} connections", max(peaks))
