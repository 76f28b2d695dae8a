"""Keys that are held to places in S3, to models, to a budget: what they may begin, and what they are told."""

import json
import re

import pytest

from tests.support.vidbatch import ACCOUNT, make_key, wait_until

LITE, PRO = "amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0"


@pytest.fixture(scope="module")
def admin(service, database):
    """Sees all; the first key, so that nobody comes without one."""
    return service.client(make_key(database, "admin", "admin"))


@pytest.fixture(scope="module")
def prefixes(admin, emulator):
    for folder in ("mine/", "other/"):
        emulator.put_videos(folder, 100)
    return {folder: admin.wait_scan(admin.register(folder)["id"])["id"] for folder in ("mine/", "other/")}


@pytest.fixture(scope="module")
def held(admin, service, database):
    """Held to s3://videos/mine/."""
    return service.client(make_key(database, "run", "held", "--prefix", "s3://videos/mine/", "--prefix", "s3://videos/second/"))


def test_places(held, prefixes):
    for place in ("other/", "", "min", "mine", "minefield/"):
        problem = held.post("/v1/prefixes", {"bucket": "videos", "prefix": place}, 403).json()
        assert problem["code"] == "place_not_allowed" and "s3://videos/mine/, s3://videos/second/" in problem["detail"]
        assert problem["errors"][0]["pointer"] == "/prefix"
    held.post("/v1/prefixes", {"bucket": "mine", "prefix": "mine/"}, 403)
    assert held.post("/v1/prefixes", {"bucket": "videos", "prefix": "mine/"}, 409).json()["existing_id"] == prefixes["mine/"]
    inside = held.register("mine/inside/")["id"]
    assert {p["id"] for p in held.pages("/v1/prefixes?limit=1")} == {inside, prefixes["mine/"]}


def test_jobs_and_plans_over_what_it_may_not_see(held, admin, prefixes):
    plan = admin.post("/v1/plans", {"prefix_id": prefixes["other/"], "prompt": "?"}, 202).json()
    wait_until("the plan", lambda: admin.get(f"/v1/plans/{plan['id']}")["state"] == "ready")
    answers = []
    for method in ("/v1/jobs", "/v1/plans"):
        for prefix in (prefixes["other/"], "pfx_00000000001"):
            problem = held.post(method, {"prefix_id": prefix, "prompt": "?"}, 422).json()
            answers.append((problem["code"], problem["detail"], problem["errors"]))
    assert len({json.dumps(a) for a in answers}) == 1 and answers[0][0] == "prefix_unknown"
    told = [held.post("/v1/jobs", {"plan_id": p}, 422).json() for p in (plan["id"], "pln_00000000001")]
    assert told[0] == told[1] and told[0]["code"] == "plan_unknown"
    assert admin.get(f"/v1/plans/{plan['id']}")["state"] == "ready"
    video = admin.get(f"/v1/prefixes/{prefixes['other/']}/videos?limit=1")["data"][0]["id"]
    assert held.post("/v1/jobs", {"prefix_id": prefixes["mine/"], "prompt": "?", "video_ids": [video]}, 422).json()["code"] == "videos_unknown"
    assert held.post("/v1/jobs", {"prefix_id": prefixes["mine/"], "prompt": "Mine?"}, 202)


def other_tools_job(emulator, folder, *videos):
    """The output that another tool's Bedrock job left: a line for each video, three in each folder."""
    lines = [json.dumps({"recordId": f"{name}{i:011d}", "modelInput": {"messages": [{"role": "user", "content": [
        {"video": {"format": "mp4", "source": {"s3Location": {"uri": f"s3://videos/{name}{i}.mp4", "bucketOwner": ACCOUNT}}}}, {"text": "What?"}]}]},
        "modelOutput": {"output": {"message": {"content": [{"text": "A film."}], "role": "assistant"}}, "stopReason": "end_turn",
                        "usage": {"inputTokens": 1, "outputTokens": 1}}}) for name in videos for i in range(3)]
    emulator.s3().put_object(Bucket="videos", Key=f"{folder}input.jsonl.out", Body="\n".join(lines).encode())


def test_imports(held, admin, emulator, prefixes):
    other_tools_job(emulator, "mine/out-good/", "second/taken/")
    other_tools_job(emulator, "mine/out-bad/", "elsewhere/")
    other_tools_job(emulator, "other/out/", "other/")
    for body, pointer in (({"output_uri": "s3://videos/other/out/"}, "/output_uri"), ({"output_uri": "s3://videos/"}, "/output_uri"),
                          ({"output_uri": "s3://videos/mine/out-good/", "input_uri": "s3://videos/other/"}, "/input_uri")):
        problem = held.post("/v1/imports", body, 403).json()
        assert problem["code"] == "place_not_allowed" and problem["errors"][0]["pointer"] == pointer
    good = held.wait_job(held.post("/v1/imports", {"output_uri": "s3://videos/mine/out-good/"}, 202).json()["id"])
    assert (good["state"], good["outcome"]) == ("completed", "success")
    # it registered the folder of the videos, which lies under what the key is held to
    assert "second/taken/" in {p["prefix"] for p in held.pages("/v1/prefixes")}
    # the lines name videos elsewhere: nothing is registered and nothing told of them
    bad = held.wait_job(held.post("/v1/imports", {"output_uri": "s3://videos/mine/out-bad/"}, 202).json()["id"])
    assert bad["state"] == "failed" and bad["error"]["code"] == "place_not_allowed"
    assert {good["id"], bad["id"]} <= {j["id"] for j in held.pages("/v1/jobs")}
    assert "elsewhere/" not in {p["prefix"] for p in admin.pages("/v1/prefixes")}
    # what an admin imported from there is a thing of its own
    theirs = admin.wait_job(admin.post("/v1/imports", {"output_uri": "s3://videos/other/out/"}, 202).json()["id"])
    held.call("GET", f"/v1/jobs/{theirs['id']}", 404)


def assert_seen_apart(job, ids, one, summaries, by_words):
    """Each key sees the summaries of its videos, and the import not at all."""
    for folder, client in one.items():
        mine = {i for i, key in summaries.items() if key.startswith(folder)}
        for rest in ("", "/summaries", "/records", "/report", "/failures", "/shards"):
            client.call("GET", f"/v1/jobs/{job}{rest}", 404)
        client.post(f"/v1/jobs/{job}/reingest", want=404)
        assert job not in {j["id"] for j in client.pages("/v1/jobs")}
        for query in ("", f"&job_id={job}", f"&prefix_id={ids[folder]}"):
            assert {s["id"] for s in client.pages(f"/v1/summaries?limit=2{query}")} == mine, (folder, query)
            assert by_words({s["id"] for s in client.pages(f"/v1/summaries?limit=2{query}&q=film")}, mine), (folder, query)
        for summary in summaries:
            client.call("GET", f"/v1/summaries/{summary}", 200 if summary in mine else 404)


def test_an_import_over_several_prefixes(service, database, admin, emulator):
    """It is seen by keys that may see all of its videos; a summary, by those that may see its video."""
    folders = ("aaa/", "bbb/")
    other_tools_job(emulator, "wide/", *folders)
    ids = {folder: admin.wait_scan(admin.register(folder)["id"])["id"] for folder in folders}
    one = {folder: service.client(make_key(database, "run", folder, "--prefix", f"s3://videos/{folder}")) for folder in folders}
    both = service.client(make_key(database, "run", "both", "--prefix", "s3://videos/aaa/", "--prefix", "s3://videos/bbb/"))
    job = admin.wait_job(admin.post("/v1/imports", {"output_uri": "s3://videos/wide/"}, 202).json()["id"])["id"]
    wait_until("the index of words", lambda: admin.get("/v1/summaries?q=film")["index"]["pending"] == 0)
    summaries = {s["id"]: s["video"]["key"] for s in both.pages(f"/v1/jobs/{job}/summaries")}
    assert len(summaries) == 6 and job in {j["id"] for j in both.pages("/v1/jobs")} and both.get(f"/v1/jobs/{job}")
    assert_seen_apart(job, ids, one, summaries, by_words=lambda found, mine: found == mine)
    # As a replica of the version before the eleventh migration leaves it: its prefixes are not noted, all words stand under the first of them.
    database.query("UPDATE job SET import_prefixes = NULL WHERE import_output_uri IS NOT NULL")
    database.query("UPDATE summary_word SET words = ts_delete(words, '#p' || v.prefix_id) || array_to_tsvector(ARRAY['#p' || j.prefix_id])"
                   " FROM summary s JOIN video v ON v.id = s.video_id JOIN job j ON j.id = s.job_id"
                   " WHERE s.record_id = summary_word.record_id AND j.import_output_uri IS NOT NULL")
    assert job in {j["id"] for j in both.pages("/v1/jobs")} and both.get(f"/v1/jobs/{job}")
    assert_seen_apart(job, ids, one, summaries, by_words=lambda found, mine: found <= mine)
    admin.post(f"/v1/jobs/{job}/reingest", want=202)
    admin.wait_job(job)
    wait_until("the index of words", lambda: admin.get("/v1/summaries?q=film")["index"]["pending"] == 0)
    assert_seen_apart(job, ids, one, summaries, by_words=lambda found, mine: found == mine)


def test_an_import_into_a_prefix_around_the_place(service, database, admin, emulator):
    """The videos are the key's, but they would be added to a prefix that it may not see."""
    around = admin.wait_scan(admin.register("around/")["id"])["id"]
    other_tools_job(emulator, "around/mine/out/", "around/mine/videos/")
    client = service.client(make_key(database, "run", "inside", "--prefix", "s3://videos/around/mine/"))
    job = client.wait_job(client.post("/v1/imports", {"output_uri": "s3://videos/around/mine/out/"}, 202).json()["id"])
    assert job["state"] == "failed" and job["error"]["code"] == "place_not_allowed"
    assert admin.pages(f"/v1/prefixes/{around}/videos") == []
    # with a prefix of its own for them it is done
    client.wait_scan(client.register("around/mine/videos/")["id"])
    job = client.wait_job(client.post("/v1/imports", {"output_uri": "s3://videos/around/mine/out/"}, 202).json()["id"])
    assert (job["outcome"], job["counts"]["total"]) == ("success", 3)


def test_an_id_of_no_kind_is_as_one_that_is_not_there(held):
    for text in ("job_00000000001", "nonsense", "key_00000000001", "job_0"):
        problem = held.call("GET", f"/v1/jobs/{text}", 404).json()
        assert problem["code"] == "not_found" and re.fullmatch(f"There is no [a-z]+ with the id {text}.", problem["detail"]), problem


def test_models(service, database, admin, prefixes):
    client = service.client(make_key(database, "run", "one model", "--model", PRO))
    body = {"prefix_id": prefixes["mine/"], "prompt": "Which?"}
    for method, more in (("/v1/jobs", {}), ("/v1/plans", {}), ("/v1/jobs", {"model_id": LITE})):
        problem = client.post(method, {**body, **more}, 403).json()
        assert problem["code"] == "model_not_allowed" and LITE in problem["detail"] and PRO in problem["detail"]
    theirs = admin.post("/v1/plans", body, 202).json()["id"]
    wait_until("the plan", lambda: admin.get(f"/v1/plans/{theirs}")["state"] == "ready")
    assert client.post("/v1/jobs", {"plan_id": theirs}, 403).json()["code"] == "model_not_allowed"
    job = client.wait_job(admin.launch(prefixes["mine/"], prompt="Which?")["id"])
    database.query("UPDATE summary SET state = 'failed', error_reason = 'no_result' WHERE job_id = (SELECT max(id) FROM job WHERE state = 'completed')")
    assert client.post(f"/v1/jobs/{job['id']}/retry", None, 403).json()["code"] == "model_not_allowed"
    assert client.post("/v1/jobs", {**body, "model_id": PRO}, 202)


def test_a_keys_budget(service, database, admin, prefixes):
    key = make_key(database, "run", "thrifty", "--monthly-budget", "1000000")
    client = service.client(key)
    first = client.wait_job(client.launch(prefixes["mine/"], prompt="Cheap?")["id"])
    assert first["state"] == "completed"
    assert database.value("SELECT k.name FROM job j JOIN api_key k ON k.id = j.key_id WHERE j.prompt = 'Cheap?'") == "thrifty"
    database.query("UPDATE api_key SET monthly_budget_micros = 1 WHERE name = 'thrifty'")
    refused = client.wait_job(client.launch(prefixes["mine/"], prompt="Dear?", select="all")["id"])
    assert refused["state"] == "failed" and refused["error"]["code"] == "budget_exceeded"
    # others see the job: it names neither the key nor what it spent
    assert "the budget of the API key that began it" in refused["error"]["message"] and "thrifty" not in json.dumps(refused)
    assert set(refused["error"]) == {"code", "message", "estimated"} and "0.000001" not in refused["error"]["message"]
    # a plan is charged to whoever launches it: what another may spend is no matter
    plan = client.post("/v1/plans", {"prefix_id": prefixes["mine/"], "prompt": "Planned?", "select": "all"}, 202).json()["id"]
    wait_until("the plan", lambda: client.get(f"/v1/plans/{plan}")["state"] in ("ready", "refused"))
    problem = client.post("/v1/jobs", {"plan_id": plan}, 409).json()
    assert problem["code"] == "budget_exceeded" and problem["limit"] == "0.000001", problem
    assert 'the budget of the API key "thrifty"' in problem["detail"]
    assert admin.post("/v1/jobs", {"plan_id": plan}, 202)
    assert database.value("SELECT k.name FROM job j JOIN api_key k ON k.id = j.key_id WHERE j.prompt = 'Planned?'") == "admin"
