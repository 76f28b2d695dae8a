"""A finished job of 200,000 records in the service's database, its output still in the emulator's S3: what ingest and serving are measured on."""

PROMPT = "Summarize this video. " + "Say who and what is to be seen, where, and what happens from the beginning to the end. " * 12
BUCKETS = ("staging", "output")


class Stored:
    """The parts, and the job."""

    def __init__(self, bench, name):
        self.count = bench.size(200_000, 1000)
        self.emulator = bench.emulator(
            name, "--synthetic", f"bucket=clips,count={self.count},prefix=v/", "--max-records", "1000000", job_seconds=1, buckets=BUCKETS
        )
        self.database = bench.database()
        self.service = bench.service(
            name, self.database, self.emulator, VIDBATCH_STAGING_URI="s3://staging/bench", VIDBATCH_OUTPUT_URI="s3://output/bench",
        )
        client = self.service.client()
        prefix = client.wait_scan(client.register("v/", "clips")["id"], 600)
        assert prefix["eligible_count"] == self.count, prefix
        print(f"   a job of {self.count:,} videos runs ...", flush=True)
        launched = client.launch(prefix["id"], PROMPT, preflight="listing")
        self.job = client.wait_job(launched["id"], timeout_s=1800)
        assert self.job["counts"]["succeeded"] == self.count, self.job
        self.files = [
            item
            for page in self.emulator.s3().get_paginator("list_objects_v2").paginate(Bucket="output", Prefix="bench/")
            for item in page.get("Contents", [])
            if item["Key"].endswith(".jsonl.out")
        ]
        self.output_bytes = sum(item["Size"] for item in self.files)
        self.job_number = self.database.value("SELECT job_id FROM shard LIMIT 1")
