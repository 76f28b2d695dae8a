"""Holds answers against openapi.yaml: the route, the status, the content type, the headers it promises, and the body's schema."""

import json
import re

import jsonschema
import yaml
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012


class ContractError(AssertionError):
    pass


class Contract:
    def __init__(self, path):
        self.document = yaml.safe_load(path.read_text())
        self.registry = Registry().with_resource("urn:openapi", Resource(contents=self.document, specification=DRAFT202012))
        self.routes = []
        for template, item in self.document["paths"].items():
            pattern = re.compile("^" + re.sub(r"\{[^}]+\}", "[^/]+", template) + "$")
            self.routes.append((template.count("{"), pattern, template, item))
        # a literal path wins over one with parameters
        self.routes.sort(key=lambda route: route[0])
        self.seen = set()

    def operations(self):
        """Every "METHOD path" that is described."""
        methods = {"get", "put", "post", "delete", "patch", "head", "options"}
        return {f"{m.upper()} {t}" for _, _, t, item in self.routes for m in item if m in methods}

    def security(self):
        """Of each of them what it asks for: its own, else the document's."""
        methods = {"get", "put", "post", "delete", "patch", "head", "options"}
        return {f"{m.upper()} {t}": o.get("security", self.document.get("security")) for _, _, t, item in self.routes for m, o in item.items() if m in methods}

    def resolve(self, node):
        """Follows a $ref; gives the node and the JSON pointer where it stands."""
        while "$ref" in node:
            node = self.at(node["$ref"])
        return node

    def at(self, reference):
        node = self.document
        for part in reference.lstrip("#/").split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~")]
        return node

    def check(self, method, target, answer):
        path = target.split("?")[0]
        described = "GET" if method == "HEAD" else method
        for _, pattern, template, item in self.routes:
            if pattern.match(path) and described.lower() in item:
                break
        else:
            if answer.status_code in (400, 404, 405, 413, 414, 431, 501, 503):
                return  # no such route: nothing to hold it against
            raise ContractError(f"{method} {path} answered {answer.status_code}, but openapi.yaml does not have it")
        responses = item[described.lower()]["responses"]
        response = responses.get(str(answer.status_code)) or responses.get("default")
        if response is None:
            raise ContractError(f"{method} {template}: {answer.status_code} is not described: {answer.text[:500]}")
        response = self.resolve(response)
        self.seen.add((described, template, answer.status_code))
        self.check_headers(method, template, response, answer)
        if method != "HEAD" and answer.status_code not in (204, 304):
            self.check_body(method, template, response, answer)

    def check_headers(self, method, template, response, answer):
        for name, header in response.get("headers", {}).items():
            if self.resolve(header).get("required") and name not in answer.headers:
                raise ContractError(f"{method} {template} {answer.status_code}: the header {name} is missing")

    def check_body(self, method, template, response, answer):
        content = response.get("content")
        kind = answer.headers.get("Content-Type", "").split(";")[0].strip()
        where = f"{method} {template} {answer.status_code}"
        if not content:
            if answer.content:
                raise ContractError(f"{where}: a body where none is described: {answer.text[:200]}")
            return
        if kind not in content:
            raise ContractError(f"{where}: Content-Type {kind!r} is not among {sorted(content)}")
        schema = content[kind].get("schema")
        if not schema:
            return
        if kind in ("application/json", "application/problem+json"):
            self.judge(where, schema, answer.json())
        elif kind == "application/x-ndjson":
            for line in answer.text.splitlines():
                item = json.loads(line)
                if "items" in schema or schema.get("type") == "object" or "$ref" in schema:
                    self.judge(where, schema.get("items", schema), item)

    def judge(self, where, schema, value):
        located = json.loads(json.dumps(schema).replace('"#/', '"urn:openapi#/'))
        validator = jsonschema.Draft202012Validator(located, registry=self.registry, format_checker=jsonschema.FormatChecker())
        problems = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in validator.iter_errors(value)]
        if problems:
            raise ContractError(f"{where}: " + "; ".join(problems)[:1500])
