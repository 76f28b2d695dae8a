#!/usr/bin/env python3
"""Holds every Bedrock batch request and answer that a test run left in the stand-in's logs against AWS's own API model
(tests/data/bedrock-model-invocation-job.shapes.json): required and unknown members, types, patterns, lengths, ranges, enums, unions.

    usage: bedrock_shapes.py [--at-least N] FILE-OR-FOLDER...      (folders: every *.jsonl below, and every emulator.log)

What the service sent must fit whatever it was answered, also by the scripted servers of C tests (tests/support/http_capture.h). What others sent (boto3 and hand-made requests of the stand-in's own tests, which
are wrong on purpose at times) must fit where it was accepted. Answers must fit unless a scripted fault made them. Prints the first
violations and one line of counts; exits with 1 on a violation, or with fewer than N requests. Needs nothing but Python."""

import argparse
import datetime
import json
import os
import pathlib
import re
import sys
import urllib.parse

MODEL = pathlib.Path(__file__).resolve().parents[1] / "data/bedrock-model-invocation-job.shapes.json"
SHOWN = 10
ISO8601 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
OUR_AGENT = "vidbatch"


class Model:
    def __init__(self, path=MODEL):
        model = json.loads(path.read_text())
        self.shapes, self.operations = model["shapes"], model["operations"]
        self.patterns = {name: re.compile(shape["pattern"]) for name, shape in self.shapes.items() if "pattern" in shape}

    def check(self, name, value, at):
        """All that is wrong with a value of that shape, as text; nothing when it fits."""
        shape = self.shapes[name]
        return getattr(self, "check_" + shape["type"])(name, shape, value, at)

    def check_structure(self, name, shape, value, at):
        if not isinstance(value, dict):
            return [f"{at}: {name} is no object"]
        wrong = [f"{at}.{member}: {name} requires it" for member in shape.get("required", []) if member not in value]
        for member, inside in value.items():
            if member not in shape["members"]:
                wrong.append(f"{at}.{member}: {name} has no such member")
            else:
                wrong += self.check(shape["members"][member]["shape"], inside, f"{at}.{member}")
        if shape.get("union") and len(value) != 1:
            wrong.append(f"{at}: {name} is a union of exactly one member")
        return wrong

    def check_list(self, name, shape, value, at):
        if not isinstance(value, list):
            return [f"{at}: {name} is no array"]
        wrong = self.check_bounds(name, shape, len(value), at, "elements")
        for number, inside in enumerate(value):
            wrong += self.check(shape["member"]["shape"], inside, f"{at}[{number}]")
        return wrong

    def check_string(self, name, shape, value, at):
        if not isinstance(value, str):
            return [f"{at}: {name} is no string"]
        wrong = self.check_bounds(name, shape, len(value), at, "characters")
        if "enum" in shape and value not in shape["enum"]:
            wrong.append(f"{at}: {value!r} is none of {name}: {' '.join(shape['enum'])}")
        if name in self.patterns and not self.patterns[name].fullmatch(value):
            wrong.append(f"{at}: {value!r} does not match {name}: {shape['pattern']}")
        return wrong

    def check_integer(self, name, shape, value, at):
        if not isinstance(value, int) or isinstance(value, bool):
            return [f"{at}: {name} is no whole number"]
        return self.check_bounds(name, shape, value, at, "")

    check_long = check_integer

    def check_timestamp(self, name, shape, value, at):
        if not isinstance(value, str) or not ISO8601.fullmatch(value):
            return [f"{at}: {value!r} is no time in ISO 8601"]
        try:
            datetime.datetime.strptime(value[:19], "%Y-%m-%dT%H:%M:%S")
        except ValueError:
            return [f"{at}: {value!r} is no time that there is"]
        return []

    @staticmethod
    def check_bounds(name, shape, size, at, unit):
        if size < shape.get("min", size) or size > shape.get("max", size):
            return [f"{at}: {size} {unit} are outside of {name}: {shape.get('min')} to {shape.get('max')}"]
        return []

    def check_request(self, operation, method, target, body, content_type):
        """One request as it was on the wire."""
        http, input_shape = self.operations[operation]["http"], self.operations[operation]["input"]["shape"]
        path, _, query = target.partition("?")
        members = self.shapes[input_shape]["members"]
        found, wrong = {}, []
        if method != http["method"]:
            wrong.append(f"method: {method} instead of {http['method']}")
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(http["requestUri"]))
        matched = re.fullmatch(pattern, path)
        if not matched:
            return wrong + [f"path: {path} instead of {http['requestUri']}"]
        for name, label in matched.groupdict().items():
            if not re.fullmatch(r"([A-Za-z0-9._~-]|%[0-9A-F]{2})*", label):
                wrong.append(f"path: {label!r} is not percent-encoded as AWS's clients encode it")
            found[name] = urllib.parse.unquote(label)
        wrong += self.take_query(query, members, found)
        wrong += self.take_body(body, content_type, members, found, http["method"])
        return wrong + self.check_structure(input_shape, self.shapes[input_shape], found, operation)

    def operation_of(self, method, target):
        for name, operation in self.operations.items():
            pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(operation["http"]["requestUri"]))
            if operation["http"]["method"] == method and re.fullmatch(pattern, target.partition("?")[0]):
                return name
        return None

    def take_query(self, query, members, found):
        wrong = []
        for name, value in urllib.parse.parse_qsl(query, keep_blank_values=True):
            member = members.get(name, {})
            if member.get("location") != "querystring":
                wrong.append(f"query: {name} is no parameter")
            elif name in found:
                wrong.append(f"query: {name} comes twice")
            else:
                is_number = self.shapes[member["shape"]]["type"] in ("integer", "long") and re.fullmatch(r"-?\d+", value)
                found[name] = int(value) if is_number else value
        return wrong

    @staticmethod
    def take_body(body, content_type, members, found, method):
        in_body = {name for name, member in members.items() if "location" not in member}
        if not body and not in_body:
            return []
        try:
            sent = json.loads(body)
        except ValueError:
            return ["body: no JSON"]
        if not isinstance(sent, dict):
            return ["body: no object"]
        wrong = [f"body: {name} does not belong into it" for name in sent if name in members and name not in in_body]
        if method == "GET":
            wrong.append("body: a GET has none")
        if (content_type or "").split(";")[0].strip() not in ("application/json", "application/x-amz-json-1.1"):
            wrong.append(f"content-type: {content_type} instead of application/json")
        found.update(sent)
        return wrong

    def check_answer(self, operation, status, answer):
        shape = self.operations[operation]["output"]["shape"]
        if status != self.operations[operation]["http"].get("responseCode", 200):
            return [f"status: {status}"]
        try:
            value = json.loads(answer) if answer else {}
        except ValueError:
            return ["answer: no JSON"]
        return self.check_structure(shape, self.shapes[shape], value, "answer")


def judge(model, line):
    """(was the request judged, was the answer, what is wrong) of one entry of a log."""
    operation = line["op"].removeprefix("Bedrock.")
    if operation == "?":  # of a C test's scripted server, which does not know one from the other, and answers anything
        operation = model.operation_of(line["method"], line["target"])
        if not operation and line["target"].startswith("/model/"):  # the runtime's InvokeModel
            return False, False, []
        line = {**line, "status": None}
    if operation not in model.operations:
        return False, False, [f"{line.get('method')} {line.get('target')} is no operation"] if line.get("agent") == OUR_AGENT else []
    accepted = line["status"] is not None and 200 <= line["status"] < 300
    wrong, is_answer = [], accepted and not line.get("fault")
    # The connection of some faults is closed before the body has come in.
    is_request = (line.get("agent") == OUR_AGENT and not (line["status"] == 0 and line["bytes_in"] == 0)) or accepted
    if is_request:
        wrong += model.check_request(operation, line["method"], line["target"], line.get("body") or "", line.get("content_type"))
    if is_answer:
        wrong += model.check_answer(operation, line["status"], line.get("answer") or "")
    return is_request, is_answer, wrong


def files_of(places):
    for place in map(pathlib.Path, places):
        if not place.is_dir():
            yield place
            continue
        for folder, below, names in os.walk(place):
            below[:] = [name for name in below if name != "planted"]  # by this script's own tests
            yield from (pathlib.Path(folder) / name for name in sorted(names) if name.endswith(".jsonl") or name == "emulator.log")


def judge_file(model, path, counts, violations):
    with open(path, encoding="utf-8", errors="replace") as lines:
        for number, text in enumerate(lines, 1):
            if '"op":"Bedrock.' not in text or not text.startswith("{"):
                continue
            try:
                line = json.loads(text)
            except ValueError:  # the last line of a stand-in that was killed
                continue
            is_request, is_answer, wrong = judge(model, line)
            counts["requests"] += is_request
            counts["answers"] += is_answer
            violations += [f"{path}:{number}: {line['op']}: {what}" for what in wrong]


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--at-least", type=int, default=0)
    options.add_argument("places", nargs="+")
    given = options.parse_args()
    model, counts, violations = Model(), {"requests": 0, "answers": 0}, []
    for path in files_of(given.places):
        judge_file(model, path, counts, violations)
    print(*violations[:SHOWN], sep="\n", end="\n" if violations else "")
    print(f"bedrock shapes: {counts['requests']} requests and {counts['answers']} answers held against AWS's model, {len(violations)} violations")
    if counts["requests"] < given.at_least:
        print(f"bedrock shapes: at least {given.at_least} requests were to be captured")
        return 1
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
