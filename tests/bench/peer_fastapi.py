"""The peer of the serving rows: what one writes first with FastAPI and asyncpg, giving the same JSON from the same SQL. Plain: one process,
a pool of eight connections, dicts that the framework turns into JSON."""

import base64
import contextlib
import datetime
import os
import pathlib

import asyncpg
import fastapi

QUERIES = pathlib.Path(__file__).resolve().parents[2] / "sql/queries"
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
GET = (QUERIES / "summary_get.sql").read_text()
LIST = (QUERIES / "summary_list_job.sql").read_text()


@contextlib.asynccontextmanager
async def connect(app):
    settings = {"enable_bitmapscan": "off", "enable_seqscan": "off", "random_page_cost": "1.1", "jit": "off"}  # as the service's
    app.state.pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=8, max_size=8, server_settings=settings)
    yield
    await app.state.pool.close()


app = fastapi.FastAPI(lifespan=connect)


def show_id(prefix, number):
    text = ""
    for _ in range(11):
        text = DIGITS[number % 62] + text
        number //= 62
    return prefix + text


def read_id(prefix, text):
    number = 0
    if not text.startswith(prefix) or len(text) != len(prefix) + 11:
        raise fastapi.HTTPException(404)
    for c in text[len(prefix):]:
        number = number * 62 + DIGITS.index(c)
    return number


def show_time(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def show(row):
    error = None
    if row[9] or row[10]:
        error = {"reason": row[9], "code": row[11], "message": row[10], "retryable": row[14]}
    return {
        "id": show_id("sum_", row[0]), "job_id": show_id("job_", row[1]), "record_id": show_id("", row[0]),
        "video": {"id": show_id("vid_", row[2]), "bucket": row[16], "key": row[17] + row[18], "name": row[18]},
        "state": row[4], "text": row[5], "summary": row[5] if row[6] is None else row[6], "thinking": row[7], "labels": None,
        "stop_reason": row[8], "text_altered": row[15], "error": error,
        "usage": {"input_tokens": row[12], "output_tokens": row[13]}, "model_id": row[19], "created_at": show_time(row[3]),
    }


@app.get("/v1/summaries/{id}")
async def one(id: str):
    row = await app.state.pool.fetchrow(GET, read_id("sum_", id))
    if row is None:
        raise fastapi.HTTPException(404)
    inference = {"max_tokens": row[25], "temperature": row[26], "top_p": row[27], "top_k": row[28]}
    return show(row) | {"provenance": {
        "model_id": row[19], "prompt": row[21], "system": row[22], "inference": inference, "etag": row[20], "route": row[23],
        "bedrock_arn": row[24],
    }}


@app.get("/v1/jobs/{id}/summaries")
async def page(id: str, limit: int = 50, after: str | None = None):
    start = 0
    if after:
        start = int(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)).decode().split(":")[1])
    rows = await app.state.pool.fetch(LIST, read_id("job_", id), start, limit + 1)
    more = len(rows) > limit
    rows = rows[:limit]
    cursor = base64.urlsafe_b64encode(f"job_summaries:{rows[-1][0]}".encode()).decode().rstrip("=") if more else None
    return {"data": [show(row) for row in rows], "next": cursor}
